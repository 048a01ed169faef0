"""Time decoding and normalization of one picture, on one core, against a plain resize."""

import io
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from benchmark_data import MNIST, crop
from PIL import Image

from batch_infer.contract import IMAGE_SIZE
from batch_infer.decoding.decode import decode
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.normalization.pipeline import normalize

sys.path.append(str(Path(__file__).parents[1]))  # changes.py is in scripts/
from changes import Change, Digit, cropped, framed, grey, hard, ruled, saved, scaled, shaded, written

FIRST: Final = 50_000  # of the training images used


class Times(NamedTuple):
    """Milliseconds per picture: the mean over pictures of the minimum of several repeats."""

    decoding: float
    normalizing: float
    resizing: float


def on_paper(side: int) -> Change:
    return lambda digit, rng: saved(grey(written(digit, rng, sheet=(side, side), size=(side * 3 // 4, side))))


def black_on_white(side: int) -> Change:
    return lambda digit, _: saved(255 - scaled(digit, side))


def averaged(change: Change, side: int) -> Change:
    """The same change, its picture averaged down to `side` px."""

    def reduced(digit: Digit, rng: np.random.Generator) -> bytes:
        picture = Image.open(io.BytesIO(change(digit, rng))).convert("L")
        return saved(picture.resize((side, side), Image.Resampling.BOX))

    return reduced


def camera(digit: Digit, rng: np.random.Generator) -> bytes:
    """12 megapixels in color, as from a phone."""
    sheet = grey(written(digit, rng, sheet=(3000, 4000), size=(1200, 2400)))
    return saved(Image.fromarray(sheet).convert("RGB"), "JPEG", quality=85)


PICTURES: Final[dict[str, Change]] = {
    "14 px": lambda digit, _: saved(scaled(digit, 14)),
    "16 px, one bit": lambda digit, _: saved(scaled(digit, 16) > 100),
    "28 px, grey paper": lambda digit, _: saved(grey(230 - 0.7 * digit)),
    "crop to the ink": lambda digit, _: saved(255 - cropped(digit)),
    "56 px": lambda digit, _: saved(scaled(digit, 56)),
    "64 px, noisy paper under a lamp": on_paper(64),
    "40 to 72 px, color, noisy paper": crop,
    "100 px, black on white": black_on_white(100),
    "150 px, black on white": black_on_white(150),
    "200 px, ruled paper": averaged(partial(ruled, squares=False), 200),
    "200 px, box of a form": lambda digit, rng: framed(np.pad(digit, 8), rng, 200, inset=0.1),
    "200 px, hard shadow": averaged(shaded, 200),
    "280 px, black on white": black_on_white(280),
    "280 px, drawn with a mouse": lambda digit, _: saved(hard(digit, 280)),
    "1 megapixel, PNG": on_paper(1000),
    "12 megapixels, JPEG": camera,
}
LARGE: Final = 500  # px; a tenth of the count is enough for these


def time_pictures(count: int, repeats: int) -> dict[str, Times]:
    """Time all kinds of pictures, `count` digits of each, each step `repeats` times."""
    digits = IdxImages(str(MNIST / "train-images-idx3-ubyte.gz")).read_all()[FIRST : FIRST + count]
    found = {}
    for name, change in PICTURES.items():
        rng = np.random.default_rng(0)
        first = change(digits[0], rng)
        large = max(Image.open(io.BytesIO(first)).size) > LARGE
        files = [first, *(change(digit, rng) for digit in digits[1 : max(2, count // 10) if large else count])]
        found[name] = Times(
            *(statistics.mean(part) for part in zip(*(_times(file, repeats) for file in files), strict=True))
        )
    return found


def _times(file: bytes, repeats: int) -> Times:
    grey = decode(file).grey

    def plain() -> None:
        np.asarray(
            Image.open(io.BytesIO(file)).convert("L").resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
        )

    steps: tuple[Callable[[], object], ...] = (lambda: decode(file), lambda: normalize(grey), plain)
    return Times(*(min(_once(step) for _ in range(repeats)) * 1e3 for step in steps))


def _once(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started
