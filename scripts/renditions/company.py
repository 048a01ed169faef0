"""Single digits with something else in the picture: detached strokes, specks, print, a neighbour's end, a stain."""

from typing import Final

import numpy as np
from changes import Digit, Floats, grey, saved
from PIL import Image, ImageDraw, ImageFilter
from renditions.drawing import Digits, Kind, encoded, fitted, margins, pen, put, surface, typed

NUMBERS: Final = ("1.", "2.", "3.", "7)", "12", "a)", "No", "A", "(4)")
UNITS: Final = ("kg", "cm", "ml", "l", "%", "pt", "mm")
CORNERS: Final = ("above left", "left", "below right", "right", "above right", "below left")


def written(ink: Floats, rng: np.random.Generator) -> bytes:
    """On plain ground or paper."""
    return encoded(surface(fitted(ink), rng, "plain" if rng.random() < 0.5 else "paper"), rng)


def cut(digit: Digit, rng: np.random.Generator, *, upright: bool, at: tuple[float, float]) -> Floats:
    """Cut a digit by a gap of background along a line, upright or level but for up to 15 degrees."""
    height = float(rng.integers(24, 140))
    ink = pen(digit, height, rng)
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]].astype(np.float32)
    along, across = (y, x) if upright else (x, y)
    length, width = (ink.shape[0], ink.shape[1]) if upright else (ink.shape[1], ink.shape[0])
    slope = np.tan(np.radians(rng.uniform(-15, 15)))
    distance = np.abs(across - rng.uniform(*at) * width - slope * (along - length / 2))
    gap = max(1.0, height * rng.uniform(0.03, 0.08))
    softness = max(0.5, height / 60)
    return margins(ink * np.clip((distance - gap / 2) / softness, 0, 1), rng, height)


def bar_apart(digits: Digits, rng: np.random.Generator) -> bytes:
    """A 4 or 5 whose upper bar or whose right-hand stroke stands apart."""
    upright = rng.random() < 0.5
    return written(cut(digits[0], rng, upright=upright, at=(0.5, 0.7) if upright else (0.15, 0.35)), rng)


def pen_skipped(digits: Digits, rng: np.random.Generator) -> bytes:
    """The pen skipped somewhere."""
    return written(cut(digits[0], rng, upright=rng.random() < 0.3, at=(0.2, 0.8)), rng)


def with_print(digits: Digits, rng: np.random.Generator, texts: tuple[str, ...], height: float = 0.25) -> bytes:
    """A small printed text beside the digit: a quarter of its height."""
    size = float(rng.integers(30, 140))
    ink, text = pen(digits[0], size, rng), typed(texts[int(rng.integers(len(texts)))], height * size)
    gap = rng.uniform(0.1, 0.35) * size
    canvas = np.zeros(
        (round(ink.shape[0] + text.shape[0] + 2 * gap), round(ink.shape[1] + 2 * (text.shape[1] + gap))), np.float32
    )
    corner = CORNERS[int(rng.integers(len(CORNERS)))]
    down, left = text.shape[0] / 2 + gap, text.shape[1] + gap
    put(canvas, ink, down, left)
    x = left - gap - text.shape[1] if corner.endswith("left") else left + gap + ink.shape[1]
    y = {"above": down - text.shape[0] / 2, "below": down + ink.shape[0] - text.shape[0] / 2}.get(
        corner.split()[0], down + (ink.shape[0] - text.shape[0]) * rng.uniform(0.2, 0.8)
    )
    put(canvas, text * rng.uniform(0.7, 1), y, x)
    return written(margins(canvas, rng, size, 0.05, 0.3), rng)


def cut_off_neighbour(digits: Digits, rng: np.random.Generator) -> bytes:
    """The end of another digit reaches in over an edge: 8 to 30 % of it."""
    size = float(rng.integers(24, 140))
    ink, other = pen(digits[0], size, rng), pen(digits[1], size, rng)
    share, gap = rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.4) * size
    side = rng.integers(4)
    if side < 3:  # left or right, as in a line of writing
        part = other[:, : max(1, round(share * other.shape[1]))]
        canvas = np.zeros((round(1.3 * size) + 2, round(ink.shape[1] + part.shape[1] + gap + 0.3 * size)), np.float32)
        put(canvas, ink, rng.uniform(0.1, 0.3) * size, 0.3 * size)
        put(canvas, part, rng.uniform(0, 0.3) * size, canvas.shape[1] - part.shape[1])
        canvas = canvas if side == 0 else canvas[:, ::-1]
        if side > 0:  # mirrored back: the end alone is mirrored
            canvas = np.zeros_like(canvas)
            put(canvas, ink, rng.uniform(0.1, 0.3) * size, part.shape[1] + gap)
            put(canvas, other[:, -part.shape[1] :], rng.uniform(0, 0.3) * size, 0)
    else:
        part = other[: max(1, round(share * other.shape[0]))]
        wide = max(ink.shape[1], part.shape[1])
        canvas = np.zeros(
            (round(ink.shape[0] + part.shape[0] + gap + 0.2 * size), round(wide + 0.4 * size)), np.float32
        )
        put(canvas, ink, 0.2 * size, 0.2 * size)
        put(canvas, part, canvas.shape[0] - part.shape[0], rng.uniform(0, canvas.shape[1] - part.shape[1]))
    return encoded(surface(canvas, rng, "plain" if rng.random() < 0.5 else "paper"), rng)


def specked(digits: Digits, rng: np.random.Generator) -> bytes:
    """Three to twelve specks up to as wide as a stroke."""
    size = float(rng.integers(30, 140))
    ink = margins(pen(digits[0], size, rng), rng, size)
    picture = Image.new("L", ink.shape[::-1])
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(3, 13))):
        x, y, radius = rng.uniform(0, ink.shape[1]), rng.uniform(0, ink.shape[0]), rng.uniform(0.008, 0.05) * size
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(rng.integers(120, 256)))
    return written(np.maximum(ink, np.asarray(picture) / np.float32(255)), rng)


def stain(digits: Digits, rng: np.random.Generator) -> bytes:
    """A soft stain and a coffee ring, fainter than the pen."""
    size = float(rng.integers(40, 140))
    ink = margins(pen(digits[0], size, rng), rng, size, 0.3, 1)
    picture = Image.new("L", ink.shape[::-1])
    draw = ImageDraw.Draw(picture)
    x, y, radius = rng.uniform(0, ink.shape[1]), rng.uniform(0, ink.shape[0]), rng.uniform(0.3, 0.8) * size
    box = (x - radius, y - radius, x + radius, y + radius)
    if rng.random() < 0.5:
        draw.ellipse(box, fill=int(rng.integers(40, 90)))
    else:
        draw.ellipse(box, outline=int(rng.integers(50, 110)), width=max(2, round(size / 12)))
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(size / 40))) / np.float32(255)
    return saved(grey(surface(np.maximum(fitted(ink), fitted(soft)), rng, "paper", dark=0.75)))


KINDS: Final = {
    "single: bar apart": Kind(bar_apart, classes="45"),
    "single: pen skipped": Kind(pen_skipped),
    "single: specks": Kind(specked),
    "single: field number": Kind(lambda digits, rng: with_print(digits, rng, NUMBERS)),
    "single: unit": Kind(lambda digits, rng: with_print(digits, rng, UNITS)),
    "single: neighbour's end": Kind(cut_off_neighbour, given=(2, 2)),
    "single: stain": Kind(stain),
}
