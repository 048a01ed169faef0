"""28×28 images, light ink on black, with noise, bands, lines, spatter or fog: a model's usual test of robustness."""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from changes import BICUBIC, Digit, Floats, grey, saved
from PIL import Image, ImageDraw, ImageFilter
from renditions.drawing import Digits, Kind

Corruption = Callable[[Digit, np.random.Generator], Floats]
FINE: Final = 8  # lines are drawn so many times as large, then averaged


def impulses(digit: Digit, rng: np.random.Generator, *, share: float) -> Floats:
    """Turn a share of the pixels black or white."""
    noise = rng.random(digit.shape)
    return np.where(noise < share / 2, 0, np.where(noise > 1 - share / 2, 255, digit)).astype(np.float32)


def bands(digit: Digit, rng: np.random.Generator, *, both: bool) -> Floats:
    """Invert a band at both sides, or one anywhere."""
    result = digit.astype(np.float32)
    levels = result.T if rng.random() < 0.3 else result  # a view
    wide = int(rng.integers(5, 9))
    if both:
        levels[:, :wide] = 255 - levels[:, :wide]
        levels[:, -wide:] = 255 - levels[:, -wide:]
    else:
        start = int(rng.integers(0, 28 - wide))
        levels[:, start : start + wide] = 255 - levels[:, start : start + wide]
    return result


def fine_lines(digit: Digit, paths: list[list[tuple[float, float]]], width: float) -> Floats:
    """Draw white lines over the digit, their points in px of the 28."""
    picture = Image.new("L", (28 * FINE, 28 * FINE))
    draw = ImageDraw.Draw(picture)
    for path in paths:
        draw.line([(x * FINE, y * FINE) for x, y in path], fill=255, width=max(1, round(width * FINE)))
    drawn = np.asarray(picture.resize((28, 28), Image.Resampling.BOX))
    return np.maximum(digit, drawn).astype(np.float32)


def zigzag(digit: Digit, rng: np.random.Generator) -> Floats:
    """A zigzag line crosses the picture from left to right."""
    count = int(rng.integers(5, 9))
    x = np.linspace(1, 27, count)
    y = np.linspace(*rng.uniform(6, 22, 2), count) + np.where(np.arange(count) % 2, 1, -1) * rng.uniform(1.5, 5)
    return fine_lines(digit, [list(zip(x.tolist(), y.tolist(), strict=True))], rng.uniform(0.9, 1.5))


def dotted(digit: Digit, rng: np.random.Generator) -> Floats:
    """A dotted line crosses the picture."""
    start = np.array((1, rng.uniform(4, 24)))
    end = np.array((27, rng.uniform(4, 24)))
    steps = np.arange(0, 1, rng.uniform(0.08, 0.14))
    dots = [(start + (end - start) * step, start + (end - start) * (step + 0.045)) for step in steps]
    return fine_lines(digit, [[tuple(a.tolist()), tuple(b.tolist())] for a, b in dots], rng.uniform(1, 1.6))


def spatter(digit: Digit, rng: np.random.Generator) -> Floats:
    """White drops of many sizes."""
    coarse = Image.fromarray(rng.normal(128, 60, (28, 28)).clip(0, 255).astype(np.uint8))
    soft = np.asarray(coarse.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.8, 1.3)))), np.float32)
    edge = np.quantile(soft, rng.uniform(0.86, 0.95))
    return np.maximum(digit, np.clip((soft - edge) * 12, 0, 255)).astype(np.float32)


def fog(digit: Digit, rng: np.random.Generator) -> Floats:
    """A cloud lightens the picture unevenly and takes contrast."""
    cloud = sum(
        np.asarray(
            Image.fromarray(rng.random((cells, cells)).astype(np.float32)).resize((28, 28), BICUBIC), dtype=np.float32
        )
        / cells
        for cells in (2, 4, 8, 16)
    )
    cloud = (cloud - np.min(cloud)) / (np.max(cloud) - np.min(cloud) + 1e-6)
    strength = rng.uniform(0.7, 1.5)
    return (digit + 255 * strength * cloud) / (1 + strength)


def _kind(corruption: Corruption) -> Kind:
    def make(digits: Digits, rng: np.random.Generator) -> bytes:
        return saved(grey(corruption(digits[0], rng)))

    return Kind(make, corruption=True)


KINDS: Final = {
    "28 px: salt and pepper 5 %": _kind(partial(impulses, share=0.05)),
    "28 px: salt and pepper 15 %": _kind(partial(impulses, share=0.15)),
    "28 px: salt and pepper 30 %": _kind(partial(impulses, share=0.3)),
    "28 px: bands at both sides": _kind(partial(bands, both=True)),
    "28 px: one band": _kind(partial(bands, both=False)),
    "28 px: zigzag": _kind(zigzag),
    "28 px: dotted line": _kind(dotted),
    "28 px: spatter": _kind(spatter),
    "28 px: fog": _kind(fog),
}
