"""The fifteen corruptions of MNIST-C, of 28×28 images with light ink on black, rendered from their definitions.

Mu and Gilmer (2019), MNIST-C: A Robustness Benchmark for Computer Vision, name and describe them; none of their code is
used here, and the strengths differ. Where a strength is drawn, each image gets its own.
"""

import zlib
from functools import partial
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from changes import Digit, Floats, grey
from renditions.corruptions import Corruption, dotted, fog, impulses, spatter, zigzag

SIDE: Final = 28
CENTRE: Final = (SIDE - 1) / 2
PHOTONS: Final = 5.0  # of a white pixel, on average
CANNY: Final = 60, 160  # levels; thresholds of the gradient


def shot_noise(digit: Digit, rng: np.random.Generator) -> Floats:
    """Each pixel counts few photons."""
    return rng.poisson(digit / 255.0 * PHOTONS) * (255 / PHOTONS)


def glass_blur(digit: Digit, rng: np.random.Generator) -> Floats:
    """Frosted glass: a slight blur, every pixel taken from somewhere near it, twice, and a slight blur again."""
    levels = cv2.GaussianBlur(digit.astype(np.float32), (0, 0), 0.6)
    places = np.mgrid[:SIDE, :SIDE]
    for _ in range(2):
        row, column = np.clip(places + rng.integers(-1, 2, places.shape), 0, SIDE - 1)
        levels = levels[row, column]
    return cv2.GaussianBlur(levels, (0, 0), 0.6)


def motion_blur(digit: Digit, rng: np.random.Generator) -> Floats:
    """The camera moves in a straight line while it exposes."""
    length, angle = rng.uniform(4, 8), rng.uniform(0, np.pi)
    steps = np.linspace(-length / 2, length / 2, 33)
    return np.mean([shifted(digit, step * np.cos(angle), step * np.sin(angle)) for step in steps], axis=0)


def shear(digit: Digit, rng: np.random.Generator) -> Floats:
    amount = rng.choice((-1, 1)) * rng.uniform(0.4, 0.7)
    return warped(digit, ((1, amount), (0, 1)))


def scale(digit: Digit, rng: np.random.Generator) -> Floats:
    """Shrunk to about two thirds."""
    factor = rng.uniform(0.6, 0.75)
    return warped(digit, ((1 / factor, 0), (0, 1 / factor)))


def rotate(digit: Digit, rng: np.random.Generator) -> Floats:
    angle = rng.choice((-1, 1)) * rng.uniform(15, 35) * np.pi / 180
    return warped(digit, ((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))


def brightness(digit: Digit, rng: np.random.Generator) -> Floats:
    """All pixels are lighter by the same amount."""
    return digit + rng.uniform(0.2, 0.5) * np.float32(255)


def translate(digit: Digit, rng: np.random.Generator) -> Floats:
    """Out of the middle, by whole pixels and parts of them."""
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(3, 5)
    return shifted(digit, far * np.cos(angle), far * np.sin(angle))


def stripe(digit: Digit, rng: np.random.Generator) -> Floats:
    """Inverted to the left and to the right of a stripe in the middle."""
    levels = digit.astype(np.float32)
    wide = int(rng.integers(5, 8))
    levels[:, :wide], levels[:, -wide:] = 255 - levels[:, :wide], 255 - levels[:, -wide:]
    return levels


def canny_edges(digit: Digit, rng: np.random.Generator) -> Floats:  # noqa: ARG001 - all have the same arguments
    """The edges alone, one pixel wide (Canny 1986)."""
    return cv2.Canny(digit, *CANNY).astype(np.float32)


def warped(digit: Digit, matrix: tuple[tuple[float, float], tuple[float, float]]) -> Floats:
    """Resample by a matrix from new to old coordinates, x before y, around the centre; averaged over a finer grid."""
    line = (np.arange(2 * SIDE) + 0.5) / 2 - 0.5 - CENTRE
    x, y = np.meshgrid(line, line)
    source = [a * x + b * y + CENTRE for a, b in matrix]
    fine = cv2.remap(digit.astype(np.float32), *(part.astype(np.float32) for part in source), cv2.INTER_LINEAR)
    return cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def shifted(digit: Digit, right: float, down: float) -> Floats:
    move = np.array(((1, 0, right), (0, 1, down)), np.float32)
    return cv2.warpAffine(digit.astype(np.float32), move, (SIDE, SIDE), flags=cv2.INTER_LINEAR)


FIFTEEN: Final[dict[str, Corruption]] = {
    "shot noise": shot_noise,
    "impulse noise": partial(impulses, share=0.2),
    "glass blur": glass_blur,
    "motion blur": motion_blur,
    "shear": shear,
    "scale": scale,
    "rotation": rotate,
    "brightness": brightness,
    "translation": translate,
    "stripe": stripe,
    "fog": fog,
    "spatter": spatter,
    "dotted line": dotted,
    "zigzag": zigzag,
    "Canny edges": canny_edges,
}


def corrupted(name: str, images: Digit, seed: int) -> npt.NDArray[np.uint8]:
    """Corrupt images (N, 28, 28) → the same shape; the first ones do not depend on how many there are."""
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    return np.stack([grey(FIFTEEN[name](image, rng)) for image in images])
