"""Inputs of the benchmark, made once from the packaged MNIST: folders of PNGs, IDX files."""

import gzip
import os
import shutil
import struct
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels

sys.path.append(str(Path(__file__).parents[1]))  # changes.py is in scripts/
from changes import Change, Digit, grey, saved, written

MNIST = Path(__file__).parents[2] / "train" / "mnist"


class Pictures(NamedTuple):
    """A kind of pictures that are not in MNIST's format: how to make one, its suffix, and what a table calls them."""

    make: Change
    suffix: str
    shown: str


def crop(digit: Digit, rng: np.random.Generator) -> bytes:
    """A crop of noisy paper, as of a form."""
    side = int(rng.integers(40, 73))
    sheet = grey(written(digit, rng, sheet=(side, side), size=(side * 3 // 4, side)))
    return saved(Image.fromarray(sheet).convert("RGB"))


def photo(digit: Digit, rng: np.random.Generator) -> bytes:
    """A small photo of a sheet."""
    sheet = grey(written(digit, rng, sheet=(200, 200), size=(100, 190)))
    return saved(Image.fromarray(sheet).convert("RGB"), "JPEG", quality=85)


PICTURES = {
    "crops": Pictures(crop, ".png", "PNGs of 40 to 72 px, RGB, noisy paper"),
    "photos": Pictures(photo, ".jpg", "JPEGs of 200 px, RGB"),
}


def png_folder(work: Path, count: int) -> Path:
    """The last `count` of MNIST's 70,000 images as `<label>/<number>.png`: the test images come first."""
    folder = work / f"png-{count}"
    if folder.exists():
        return folder
    images, labels = _all_images()
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True)
    for number in range(len(images) - count, len(images)):
        Image.fromarray(images[number]).save(folder / str(labels[number]) / f"{number:05d}.png")
    return folder


def picture_folder(work: Path, kind: str, count: int) -> Path:
    """The first `count` test images as pictures of one kind of PICTURES, `<label>/<number>`."""
    folder = work / f"{kind}-{count}"
    if folder.exists():
        return folder
    images, labels = _all_images()
    rng = np.random.default_rng(0)
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True)
    for number in range(count):
        place = len(images) - 10_000 + number
        name = f"{number:05d}{PICTURES[kind].suffix}"
        (folder / str(labels[place]) / name).write_bytes(PICTURES[kind].make(images[place], rng))
    return folder


def many_files(work: Path, count: int) -> Path:
    """`count` names for the 10,000 test images in one folder (hard links, which take hardly any disk space)."""
    folder = work / f"files-{count}"
    if folder.exists():
        return folder
    sources = sorted(png_folder(work, 10_000).rglob("*.png"))
    folder.mkdir()
    for number in range(count):
        os.link(sources[number % len(sources)], folder / f"{number:07d}.png")
    return folder


def idx_file(work: Path, count: int, *, zipped: bool = False) -> Path:
    """An IDX file of `count` images: the test images, repeated."""
    path = work / (f"digits-{count}.gz" if zipped else f"digits-{count}")
    if path.exists():
        return path
    images, _ = _all_images()
    block = images[-10_000:].tobytes()
    with gzip.open(path, "wb", 6) if zipped else open(path, "wb") as file:
        file.write(struct.pack(">HBB3I", 0, 8, 3, count, 28, 28))
        for start in range(0, count, 10_000):
            file.write(block[: (count - start) * 784])
    return path


def mnist_for_torchvision(work: Path) -> Path:
    """MNIST in the layout of torchvision's data set: uncompressed, in MNIST/raw."""
    raw = work / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for packed in MNIST.glob("*.gz"):
        with gzip.open(packed) as source, open(raw / packed.stem, "wb") as target:
            shutil.copyfileobj(source, target)
    return work


def _all_images() -> tuple[np.ndarray, np.ndarray]:
    """MNIST's training and test images (70000, 28, 28) and labels, both uint8."""
    splits = [IdxImages(str(MNIST / f"{name}-images-idx3-ubyte.gz")).read_all() for name in ("train", "t10k")]
    labels = [
        read_labels(str(MNIST / f"{name}-labels-idx1-ubyte.gz"), len(images))
        for name, images in zip(("train", "t10k"), splits, strict=True)
    ]
    return np.concatenate(splits), np.concatenate(labels).astype(np.uint8)
