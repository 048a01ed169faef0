"""What the renditions share: a kind of picture, digits as ink, the surfaces they are written on, encoding."""

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from changes import BICUBIC, Digit, Floats, grey, hard, paper, saved, scaled
from PIL import Image, ImageDraw, ImageFont

Digits = Sequence[Digit]
Expected = Literal["digit", "several", "none"]
Surface = Literal["plain", "paper", "ruled"]
LONGEST: Final = 400  # px; longest side of the pictures, unless a kind says otherwise
SHORTEST: Final = 40


class Kind(NamedTuple):
    """One kind of picture.

    Attributes:
        make: draws and encodes one picture of MNIST digits, each (28, 28); the first one is the label.
        expected: what the picture shows: one digit, several, or none.
        given: least and greatest number of digits that `make` is given.
        classes: the digits that the first one may be.
        corruption: the picture is a 28×28 image in MNIST's form but for the corruption.
    """

    make: Callable[[Digits, np.random.Generator], bytes]
    expected: Expected = "digit"
    given: tuple[int, int] = (1, 1)
    classes: str = "0123456789"
    corruption: bool = False


def pen(digit: Digit, height: float, rng: np.random.Generator) -> Floats:
    """Draw a digit 20/28 of whose frame is `height` px, cropped to its ink: (h, w), 0 to 1; one in two sharp."""
    side = max(8, round(1.4 * height))
    drawn = hard(digit, side) if side >= 50 and rng.random() < 0.5 else scaled(digit, side)
    seen = drawn > drawn.max() / 4
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / np.float32(255)


def put(canvas: Floats, ink: Floats, top: float, left: float) -> None:
    """Add ink to a canvas; what lies outside is lost."""
    y, x = round(top), round(left)
    part = ink[max(-y, 0) : max(canvas.shape[0] - y, 0), max(-x, 0) : max(canvas.shape[1] - x, 0)]
    place = canvas[max(y, 0) : max(y, 0) + part.shape[0], max(x, 0) : max(x, 0) + part.shape[1]]
    np.maximum(place, part, out=place)


def typed(text: str, height: float) -> Floats:
    """Print a text in Pillow's own font, its capitals about `height` px high, as ink (h, w)."""
    font = ImageFont.load_default(max(6.0, 1.4 * height))
    box = font.getbbox(text)
    picture = Image.new("L", (int(box[2]) + 2, int(box[3]) + 2))
    ImageDraw.Draw(picture).text((1, 1), text, fill=255, font=font)
    ink = np.asarray(picture) / np.float32(255)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def margins(ink: Floats, rng: np.random.Generator, height: float, least: float = 0.15, most: float = 0.8) -> Floats:
    """Add empty margins of `least` to `most` of the digits' height."""
    around = np.round(rng.uniform(least, most, 4) * height).astype(int)
    return np.pad(ink, (tuple(around[:2]), tuple(around[2:])))


def fitted(ink: Floats) -> Floats:
    """Resize or pad so that the longer side is at most LONGEST and the shorter one at least SHORTEST px."""
    scale = LONGEST / max(ink.shape)
    if scale < 1:
        size = max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale))
        ink = np.clip(np.asarray(Image.fromarray(ink.astype(np.float32)).resize(size, BICUBIC)), 0, 1)
    lack = [max(SHORTEST - length, 0) for length in ink.shape]
    return np.pad(ink, [(length // 2, length - length // 2) for length in lack])


def surface(ink: Floats, rng: np.random.Generator, on: Surface, *, dark: float | None = None) -> Floats:
    """Write ink (H, W) on a surface: gray levels; one in three light on dark, none if a contrast `dark` is given."""
    contrast = float(rng.uniform(0.55, 0.9)) if dark is None else dark
    if on == "plain":
        sheet = np.full(ink.shape, rng.uniform(225, 255))
    else:
        sheet = paper(*ink.shape, rng, slope=float(rng.uniform(10, 50)), grain=float(rng.uniform(1.5, 5)))
    if on == "ruled":
        step = int(rng.integers(14, 50))
        width = 1 if step < 30 else 2
        fade = rng.uniform(0.72, 0.85)
        for start in range(int(rng.integers(step)), ink.shape[0], step):
            sheet[start : start + width] *= fade
        if rng.random() < 0.4:
            for start in range(int(rng.integers(step)), ink.shape[1], step):
                sheet[:, start : start + width] *= fade
    levels = sheet * (1 - contrast * ink)
    return levels if dark is not None or rng.random() < 0.65 else 255 - levels


def encoded(levels: Floats, rng: np.random.Generator) -> bytes:
    """As a PNG, or one in three as a JPEG."""
    if rng.random() < 0.35:
        return saved(grey(levels), "JPEG", quality=int(rng.integers(60, 93)))
    return saved(grey(levels))
