"""Kinds that are hard today: combs, thick boxes, fax, halftone, print beside the digit, bleed-through, empty sheets."""

from functools import partial
from typing import Final, Literal

import numpy as np
from changes import BICUBIC, Floats, grey, hard, paper, saved, scaled, written
from PIL import Image, ImageFilter
from renditions.drawing import Digits, Kind, encoded, fitted, margins, pen, put, surface, typed

BAYER: Final = np.array(((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5)), np.float32)


def comb(digits: Digits, rng: np.random.Generator) -> bytes:
    """A comb field: a base line with short upright ticks between cells; the digit may touch them. Some empty cells."""
    height = float(rng.integers(24, 160))
    ink = pen(digits[0], height, rng)
    cell = height * rng.uniform(0.9, 1.4)
    line = max(1, round(height * rng.uniform(0.02, 0.05)))
    cells = int(rng.integers(1, 4)) if rng.random() < 0.5 else 1
    aside = height * rng.uniform(0, 0.3)
    canvas = np.zeros((round(1.4 * height), round(cells * cell + 2 * aside) + line), np.float32)
    base, tick = round(1.25 * height), round(height * rng.uniform(0.15, 0.45))
    strength = rng.uniform(0.5, 1)
    canvas[base : base + line] = strength
    for place in range(cells + 1):
        x = round(aside + place * cell)
        canvas[base - tick : base, x : x + line] = strength
    left = aside + int(rng.integers(cells)) * cell + (cell - ink.shape[1]) / 2
    put(canvas, ink, base - ink.shape[0] - height * rng.uniform(-0.08, 0.12), left)
    return encoded(surface(fitted(canvas), rng, "paper"), rng)


def thick_box(digits: Digits, rng: np.random.Generator) -> bytes:
    """A thick dark box whose side the digit touches."""
    side = int(rng.integers(60, 240))
    ink = pen(digits[0], side * rng.uniform(0.62, 0.8), rng)
    line = max(2, round(side * rng.uniform(0.03, 0.07)))
    near = round(side * rng.uniform(0, 0.08))
    canvas = np.zeros((side, side), np.float32)
    inner = slice(near, side - near)
    for part in (slice(near, near + line), slice(side - near - line, side - near)):
        canvas[part, inner] = 1
        canvas[inner, part] = 1
    room = [side - 2 * near - line - length for length in ink.shape]
    shifts = [0.5 * room[0], 0.5 * room[1]]
    axis = int(rng.integers(2))
    shifts[axis] = 0.0 if rng.random() < 0.5 else float(room[axis])  # half of the line's width over the line
    put(canvas, ink, near + line / 2 + shifts[0], near + line / 2 + shifts[1])
    return encoded(surface(canvas, rng, "paper", dark=0.8), rng)


def fax(digits: Digits, rng: np.random.Generator) -> bytes:
    """One coarse bit, lines lost or repeated, specks; in standard resolution half as many lines as columns."""
    size = float(rng.integers(18, 50))
    ink = margins(pen(digits[0], size, rng), rng, size)
    standard = rng.random()  # 40 %: half the lines, each shown twice; 15 %: shown once, a flat picture
    ink = ink[: len(ink) // 2 * 2].reshape(-1, 2, ink.shape[1]).mean(1) if standard < 0.55 else ink
    bits = ink + rng.normal(0, 0.15, ink.shape) > rng.uniform(0.3, 0.6)
    row = 0
    while (row := row + int(rng.geometric(0.07))) < len(bits):
        lost = slice(row, row + int(rng.integers(1, 3)))
        bits[lost] = rng.random() < 0.06 if rng.random() < 0.6 else bits[row - 1]
    bits ^= rng.random(bits.shape) < 0.006
    return saved(~(np.repeat(bits, 2, 0) if standard < 0.4 else bits))


def halftone(digits: Digits, rng: np.random.Generator) -> bytes:
    """Print gray by an ordered pattern of dots: the paper is tinted, the ink is not full."""
    size = float(rng.integers(50, 160))
    ink = fitted(margins(pen(digits[0], size, rng), rng, size))
    level = rng.uniform(0.1, 0.3) + rng.uniform(0.45, 0.65) * ink
    pattern = np.tile((BAYER + 0.5) / 16, [-(-length // 4) for length in ink.shape])[: ink.shape[0], : ink.shape[1]]
    return saved(level <= pattern)


def print_beside(digits: Digits, rng: np.random.Generator) -> bytes:
    """Print half as high as the digit beside it: a digit, a letter, a word."""
    size = float(rng.integers(40, 140))
    ink = pen(digits[0], size, rng)
    texts = (*"0123456789", "A", "B", "No", "Nr.", "kg", "Sum", "Qty")
    text = typed(texts[int(rng.integers(len(texts)))], size * rng.uniform(0.3, 0.5))
    gap = size * rng.uniform(0.12, 0.5)
    canvas = np.zeros((max(ink.shape[0], text.shape[0]), round(ink.shape[1] + gap + text.shape[1]) + 1), np.float32)
    before = rng.random() < 0.6
    put(canvas, ink, (canvas.shape[0] - ink.shape[0]) / 2, text.shape[1] + gap if before else 0)
    down = rng.uniform(0, 1) * (canvas.shape[0] - text.shape[0])
    put(canvas, text * rng.uniform(0.6, 1), down, 0 if before else ink.shape[1] + gap)
    return encoded(surface(fitted(margins(canvas, rng, size, 0.1, 0.4)), rng, "paper"), rng)


def bleed_through(digits: Digits, rng: np.random.Generator) -> bytes:
    """Another digit, mirrored and soft, shows faintly from the back of the sheet."""
    side = int(rng.integers(90, 260))
    sheet = written(digits[0], rng, sheet=(side, side), size=(round(side * 0.5), round(side * 0.9)), slope=30, grain=3)
    back = Image.fromarray(hard(digits[1][:, ::-1], round(side * rng.uniform(0.5, 0.9))))
    soft = np.asarray(back.filter(ImageFilter.GaussianBlur(side / 90))) / np.float32(255)
    canvas = np.zeros((side, side), np.float32)
    put(canvas, soft, *rng.uniform(-0.1, 0.5, 2) * side)
    return encoded(sheet * (1 - rng.uniform(0.12, 0.3) * canvas), rng)


def empty(digits: Digits, rng: np.random.Generator, *, what: Literal["texture", "shadow", "ruled", "28 px"]) -> bytes:  # noqa: ARG001
    """An empty sheet."""
    if what == "28 px":
        return saved(grey(paper(28, 28, rng, slope=float(rng.uniform(0, 40)), grain=float(rng.uniform(2, 8)))))
    height, width = rng.integers(60, 400, 2).tolist()
    if what == "ruled":
        return encoded(surface(np.zeros((height, width), np.float32), rng, "ruled"), rng)
    levels: Floats = paper(height, width, rng, slope=float(rng.uniform(10, 90)), grain=float(rng.uniform(3, 9)))
    if what == "shadow":
        y, x = np.mgrid[:height, :width]
        angle = rng.uniform(0, 2 * np.pi)
        across = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)
        edge = np.clip((across - rng.uniform(-0.3, 0.3) * min(height, width)) / rng.uniform(1, 12) + 0.5, 0, 1)
        levels = levels * (1 - rng.uniform(0.2, 0.5) * edge)
    return encoded(levels, rng)


def boxed_28(digits: Digits, rng: np.random.Generator) -> bytes:
    """A small crop, 20 to 44 px, of one box of a form, lines at two to four sides."""
    side = int(rng.integers(20, 45))
    ink = np.asarray(Image.fromarray(scaled(digits[0], side)).resize((side, side), BICUBIC), np.float32) / 255
    for turn in rng.permutation(4)[: int(rng.integers(2, 5))].tolist():
        np.rot90(ink, turn)[0] = 0.9
    return encoded(surface(ink, rng, "paper", dark=0.75), rng)


KINDS: Final = {
    "weak: comb": Kind(comb),
    "weak: thick box touched": Kind(thick_box),
    "weak: fax": Kind(fax),
    "weak: halftone": Kind(halftone),
    "weak: print beside": Kind(print_beside),
    "weak: bleed-through": Kind(bleed_through, given=(2, 2)),
    "weak: small box": Kind(boxed_28),
    "empty: texture": Kind(partial(empty, what="texture"), "none"),
    "empty: shadow's edge": Kind(partial(empty, what="shadow"), "none"),
    "empty: ruled": Kind(partial(empty, what="ruled"), "none"),
    "empty: 28 px": Kind(partial(empty, what="28 px"), "none"),
}
