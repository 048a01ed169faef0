"""Every kind of picture by name: those of changes.py and all renditions; and how to draw some of one kind."""

import zlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from changes import CHANGES, LOSSLESS, Change, Digit
from renditions import company, corruptions, panels, several, weak
from renditions.drawing import Digits, Kind

from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels

MNIST: Final = Path(__file__).parents[2] / "train" / "mnist"
FIRST: Final = 50_000  # of the training images drawn: the last 10,000


class Drawn(NamedTuple):
    """Some pictures of one kind.

    Attributes:
        files: encoded pictures.
        labels: (N,) the digit that each shows first; meaningless where the kind shows none.
    """

    files: list[bytes]
    labels: npt.NDArray[np.int64]


def training_digits() -> tuple[Digit, npt.NDArray[np.int64]]:
    """The training images (N, 28, 28) that pictures are drawn of, and their labels (N,)."""
    images = IdxImages(str(MNIST / "train-images-idx3-ubyte.gz")).read_all()
    labels = read_labels(str(MNIST / "train-labels-idx1-ubyte.gz"), len(images))
    return images[FIRST:], labels[FIRST:]


def draw(name: str, images: Digit, labels: npt.NDArray[np.int64], count: int, seed: int) -> Drawn:
    """Draw pictures of one kind; those of a smaller count are the first ones of a greater count.

    Args:
        name: of the kind.
        images: (N, 28, 28) digits to draw.
        labels: (N,) theirs.
        count: how many pictures.
        seed: the same seed gives the same pictures, whatever else is drawn.
    """
    kind = KINDS[name]
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    allowed = np.flatnonzero(np.isin(labels, [int(digit) for digit in kind.classes]))
    files, firsts = [], []
    for number in range(count):
        first = int(allowed[number % len(allowed)])
        more = rng.integers(len(images), size=int(rng.integers(kind.given[0], kind.given[1] + 1)) - 1)
        files.append(kind.make([images[first], *images[more]], rng))
        firsts.append(first)
    return Drawn(files, labels[firsts])


def _changed(change: Change) -> Kind:
    def make(digits: Digits, rng: np.random.Generator) -> bytes:
        return change(digits[0], rng)

    return Kind(make)


KINDS: Final[dict[str, Kind]] = {
    **{name: _changed(change) for name, change in (LOSSLESS | CHANGES).items()},
    **several.KINDS,
    **company.KINDS,
    **panels.KINDS,
    **corruptions.KINDS,
    **weak.KINDS,
}
