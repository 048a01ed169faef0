"""Several digits in one picture, and single digits in the same renditions that must not be taken for several."""

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import numpy as np
from changes import Digit, Floats, grey, saved
from renditions.drawing import Digits, Kind, Surface, encoded, fitted, margins, pen, put, surface

Layout = Callable[[Digits, np.random.Generator, float], Floats]


def in_a_row(
    digits: Digits, rng: np.random.Generator, height: float, *, gap: tuple[float, float], smallest: float = 0.9
) -> Floats:
    """Side by side, `gap` × height apart, each from `smallest` to 1 × height high."""
    inks = [pen(digit, height * rng.uniform(smallest, 1), rng) for digit in digits]
    gaps = np.round(rng.uniform(*gap, len(inks)) * height).astype(int).tolist()
    tall = max(ink.shape[0] for ink in inks)
    wide = sum(ink.shape[1] for ink in inks) + sum(max(space, 0) for space in gaps)
    canvas = np.zeros((round(tall * 1.2), wide), np.float32)
    left = 0
    for ink, space in zip(inks, gaps, strict=True):
        put(canvas, ink, rng.uniform(0, canvas.shape[0] - ink.shape[0]), left)
        left += max(ink.shape[1] + space, 1)
    return margins(canvas[:, : max(left - gaps[-1], 1)], rng, height)


def in_lines(digits: Digits, rng: np.random.Generator, height: float) -> Floats:
    """In two lines."""
    half = max(len(digits) // 2, 1)
    rows = [
        in_a_row(part, rng, height, gap=(0.1, 0.7), smallest=0.75) for part in (digits[:half], digits[half:]) if part
    ]
    wide = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, wide - row.shape[1]))) for row in rows])


def in_boxes(
    digits: Digits, rng: np.random.Generator, height: float, *, columns: int = 0, spare: tuple[int, int] = (0, 0)
) -> Floats:
    """In a field of boxes with shared sides, in rows of `columns` (0: all in one row), some boxes empty."""
    places = len(digits) + int(rng.integers(spare[0], spare[1] + 1))
    wide = columns or places
    down, across = (height * rng.uniform(1.2, 1.6, 2)).tolist()
    line = max(1, round(height * rng.uniform(0.015, 0.05)))
    lines = -(-places // wide)
    canvas = np.zeros((round(lines * down) + line, round(wide * across) + line), np.float32)
    strength = rng.uniform(0.45, 1)
    for row in range(lines + 1):
        canvas[round(row * down) : round(row * down) + line] = strength
    for column in range(wide + 1):
        canvas[:, round(column * across) : round(column * across) + line] = strength
    chosen = sorted(rng.permutation(places)[: len(digits)].tolist())
    for digit, place in zip(digits, chosen, strict=True):
        ink = pen(digit, height * rng.uniform(0.75, 0.95), rng)
        top = place // wide * down + line + rng.uniform(0.2, 0.8) * (down - line - ink.shape[0])
        left = place % wide * across + line + rng.uniform(0.2, 0.8) * (across - line - ink.shape[1])
        put(canvas, ink, top, left)
    return margins(canvas, rng, height, 0.05, 0.5)


def on_a_sheet(digits: Digits, rng: np.random.Generator, height: float) -> Floats:
    """In three lines of three, without lines drawn."""
    step = height * rng.uniform(1.3, 2.2)
    canvas = np.zeros((round(3 * step), round(3 * step)), np.float32)
    for place, digit in enumerate(digits):
        ink = pen(digit, height * rng.uniform(0.8, 1), rng)
        top, left = (place // 3 * step, place % 3 * step)
        put(
            canvas,
            ink,
            top + rng.uniform(0.1, 0.9) * (step - ink.shape[0]),
            left + rng.uniform(0.1, 0.9) * (step - ink.shape[1]),
        )
    return canvas


def picture(
    digits: Digits,
    rng: np.random.Generator,
    *,
    layout: Layout,
    on: Surface | Literal["any"] = "any",
    height: tuple[int, int] = (24, 140),
) -> bytes:
    """Lay digits of a random height in px out and write them on a surface."""
    ink = fitted(layout(digits, rng, float(rng.integers(*height))))
    chosen: Surface = ("plain", "plain", "paper", "ruled")[int(rng.integers(4))] if on == "any" else on  # type: ignore[assignment]
    return encoded(surface(ink, rng, chosen), rng)


def frames(digits: Digits, rng: np.random.Generator) -> bytes:
    """MNIST images beside or above one another as they are: 28×56, 56×28, 28×84 …; either polarity."""
    images = np.hstack(digits) if rng.random() < 0.75 else np.vstack(digits)
    return saved(images if rng.random() < 0.5 else 255 - images)


def small_line(digits: Digits, rng: np.random.Generator) -> bytes:
    """A line cut 28 px high."""
    ink = in_a_row(digits, rng, 20, gap=(0.05, 0.8))
    spare = ink.shape[0] - 28
    ink = ink[spare // 2 : spare // 2 + 28] if spare > 0 else np.pad(ink, ((-spare // 2, -spare - -spare // 2), (0, 0)))
    return encoded(surface(ink, rng, "plain" if rng.random() < 0.5 else "paper"), rng)


def small_square(digits: Digits, rng: np.random.Generator, *, side: int = 64) -> bytes:
    """A square of 64 px."""
    canvas = np.zeros((side, side), np.float32)
    step = side / len(digits)
    for place, digit in enumerate(digits):
        ink = pen(digit, rng.uniform(0.5, 0.8) * min(step * 1.3, side * 0.8), rng)
        left = place * step + rng.uniform(0.3, 0.7) * max(step - ink.shape[1], 0)
        put(canvas, ink, rng.uniform(0.1, 0.9) * (side - ink.shape[0]), left)
    return encoded(surface(canvas, rng, "plain" if rng.random() < 0.5 else "paper"), rng)


def alone(digit: Digit, rng: np.random.Generator) -> bytes:
    """One digit somewhere on a wide or high sheet."""
    height = float(rng.integers(24, 120))
    return encoded(surface(fitted(margins(pen(digit, height, rng), rng, height, 0.1, 2)), rng, "paper"), rng)


def plain_28(digit: Digit, rng: np.random.Generator) -> bytes:
    """Shifted in 28×28, either polarity: not in MNIST's form."""
    moved = np.roll(digit, rng.integers(-4, 5, 2).tolist(), (0, 1))
    return saved(grey(np.asarray(255 - moved if rng.random() < 0.5 else moved, np.float32)))


NEAR: Final = partial(in_a_row, gap=(0.08, 0.35))
FAR: Final = partial(in_a_row, gap=(1.0, 3.0))
SIZES: Final = partial(in_a_row, gap=(0.1, 0.8), smallest=0.4)
TOUCHING: Final = partial(in_a_row, gap=(-0.12, 0.03))
SPARE_BOXES: Final = partial(in_boxes, spare=(1, 4))
GRID: Final = partial(in_boxes, columns=3)
MANY: Final = (2, 5)


def _kinds() -> dict[str, Kind]:
    both: dict[str, tuple[partial[bytes], tuple[int, int]]] = {
        "near": (partial(picture, layout=NEAR), MANY),
        "far apart": (partial(picture, layout=FAR), MANY),
        "other sizes": (partial(picture, layout=SIZES), MANY),
        "two lines": (partial(picture, layout=in_lines), MANY),
        "boxes": (partial(picture, layout=in_boxes), MANY),
        "boxes, some empty": (partial(picture, layout=SPARE_BOXES), (2, 4)),
        "boxes 3 × 3": (partial(picture, layout=GRID, height=(24, 90)), (4, 9)),
        "sheet 3 × 3": (partial(picture, layout=on_a_sheet, height=(24, 90)), (9, 9)),
        "near, plain": (partial(picture, layout=NEAR, on="plain"), MANY),
        "near, paper": (partial(picture, layout=NEAR, on="paper"), MANY),
        "near, ruled": (partial(picture, layout=NEAR, on="ruled"), MANY),
        "two, near": (partial(picture, layout=NEAR), (2, 2)),
        "two, small": (partial(picture, layout=NEAR, height=(14, 26)), (2, 2)),
        "touching": (partial(picture, layout=TOUCHING), (2, 3)),
        "28 px line": (partial(small_line), MANY),
        "MNIST frames": (partial(frames), (2, 3)),
        "64 px": (partial(small_square), (2, 3)),
    }
    singles = {"near", "two lines", "boxes", "boxes, some empty", "near, plain", "near, ruled", "28 px line", "64 px"}
    renamed = {"near": "row", "near, plain": "plain", "near, ruled": "ruled", "two lines": "high"}
    kinds = {f"several: {name}": Kind(make, "several", given) for name, (make, given) in both.items()}
    kinds |= {f"single: {renamed.get(name, name)}": Kind(make) for name, (make, _) in both.items() if name in singles}
    return kinds | {
        "single: alone on paper": Kind(lambda digits, rng: alone(digits[0], rng)),
        "single: small": Kind(partial(picture, layout=NEAR, height=(14, 26))),
        "single: 28 px shifted": Kind(lambda digits, rng: plain_28(digits[0], rng)),
    }


KINDS: Final = _kinds()
