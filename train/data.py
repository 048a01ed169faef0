"""Data sets: the packaged MNIST, a folder of IDX files, a torchvision data set by name, or one's own pictures."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import CLASSES, IMAGE_SIZE
from batch_infer.errors import DamagedArrayError, MissingExtraError, UsageError
from batch_infer.inference.orientation import find_orientation, sample_of
from batch_infer.inputs.arrays.idx import IdxImages, idx_bytes
from batch_infer.inputs.arrays.open_array import file_of
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.paths import show_path
from train.idx_folder import find_idx, is_idx_folder
from train.own_digits import PARTS, TEST_PARTS, VALIDATION_PARTS, read_own_digits, require_enough

PACKAGED_MNIST: Final = Path(__file__).parent / "mnist"
PACKAGED: Final = "packaged MNIST"
OWN: Final = "own pictures"
TORCHVISION_NAMES: Final = ("MNIST", "QMNIST", "EMNIST-digits")

# SHA-256 of the uncompressed files of the original data set.
_MNIST_SHA256: Final = {
    "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Attributes:
        images: `(N, 28, 28)` uint8, light ink on dark.
        labels: `(N,)` int8, 0–9.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int8]

    @property
    def sha256(self) -> dict[str, str]:
        """SHA-256 of images and labels as uncompressed IDX files."""
        return {
            "images": hashlib.sha256(idx_bytes(self.images)).hexdigest(),
            "labels": hashlib.sha256(idx_bytes(self.labels.astype(np.uint8))).hexdigest(),
        }


@dataclass(frozen=True)
class Dataset:
    """A named data set: a training and a test split.

    Attributes:
        name: for people.
        train: to train on, and for validation.
        test: for the end.
        validation_size: number of images at the end of `train` that are for validation; None: those are drawn.
        messages: lines for people about pictures that were left out.
    """

    name: str
    train: Split
    test: Split
    validation_size: int | None = None
    messages: tuple[str, ...] = ()


def load_data(source: str | None = None, labels: str | None = None) -> Dataset:
    """Load a data set into memory.

    Args:
        source: None for the packaged MNIST, a folder of the four IDX files (plain or gzip), a name of a torchvision
            data set, which is downloaded once, or one's own labelled pictures: all that `batch-infer` reads.
        labels: the file of the labels of one's own pictures; None: as `batch-infer --labels auto`.

    Raises:
        UsageError: files are missing, damaged or inconsistent; the message names the file.
    """
    if labels is not None and (source is None or source in TORCHVISION_NAMES or is_idx_folder(Path(source))):
        raise UsageError(f"--data-labels {labels}: goes with --data PATH of one's own pictures; leave it out")
    if source is None:
        dataset = _load_folder(PACKAGED_MNIST, PACKAGED)
        for name, split in (("train", dataset.train), ("t10k", dataset.test)):
            for kind, digest in split.sha256.items():
                if digest != _MNIST_SHA256[f"{name}-{kind}"]:
                    raise UsageError(
                        f"{PACKAGED_MNIST / name}-{kind}: not the MNIST it should be (SHA-256 {digest}); "
                        "install the package again"
                    )
        return dataset
    if source in TORCHVISION_NAMES:
        return _load_torchvision(source)
    if not os.path.exists(file_of(source)):
        raise UsageError(
            f"--data {source}: no such file or folder; expected a folder of IDX files, one's own labelled pictures, or "
            f"one of {', '.join(TORCHVISION_NAMES)}"
        )
    if is_idx_folder(Path(source)):
        return _load_folder(Path(source), os.path.basename(os.path.abspath(source)))
    return _load_own(source, labels)


def _load_folder(folder: Path, name: str) -> Dataset:
    return Dataset(name, _load_split(folder, "train"), _load_split(folder, "t10k"))


def _load_split(folder: Path, name: str) -> Split:
    images_path, labels_path = (find_idx(folder, name, kind) for kind in ("images", "labels"))
    source = _read_or_usage_error(images_path, lambda: IdxImages(str(images_path)))
    images = _read_or_usage_error(images_path, source.read_all)
    if folder != PACKAGED_MNIST and _is_transposed(source):
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    labels = _read_or_usage_error(labels_path, lambda: read_labels(str(labels_path), len(images)))
    return _make_split(images, labels, str(images_path))


def _is_transposed(source: IdxImages) -> bool:
    """Whether the images of an IDX file are stored transposed, as EMNIST publishes its digits."""
    return find_orientation(sample_of(source), OnnxClassifier(), "auto").transposed


def _read_or_usage_error(path: Path, read: Any) -> Any:
    try:
        return read()
    except DamagedArrayError as error:
        raise UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _make_split(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int8], where: str) -> Split:
    if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise UsageError(f"{where}: images of {images.shape[2]}×{images.shape[1]} pixels; expected 28×28")
    missing = np.flatnonzero(np.bincount(labels, minlength=CLASSES) == 0)
    if missing.size:
        raise UsageError(f"{where}: no image of the digit {missing[0]}; expected all of 0 to 9")
    return Split(images, labels)


def _load_own(source: str, labels: str | None) -> Dataset:
    own = read_own_digits([source], labels, "--data")
    require_enough(own, f"--data {show_path(source)}")
    test, validation = own.parts < TEST_PARTS, own.parts >= PARTS - VALIDATION_PARTS
    train, validating, held_out = own.where(~test & ~validation), own.where(validation), own.where(test)
    if not (len(train) and len(validating) and len(held_out)):
        raise UsageError(f"--data {show_path(source)}: too few different pictures to divide them into three parts")
    return Dataset(
        OWN,
        Split(np.concatenate([train.images, validating.images]), np.concatenate([train.labels, validating.labels])),
        Split(held_out.images, held_out.labels),
        len(validating),
        own.messages,
    )


def _load_torchvision(name: str) -> Dataset:
    try:
        from torchvision import datasets
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error) from error
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mnist-logistic"
    options: dict[str, Any] = {"split": "digits"} if name == "EMNIST-digits" else {}
    loader = getattr(datasets, name.partition("-")[0])
    splits = []
    for train in (True, False):
        try:
            loaded = loader(str(root), train=train, download=True, **options)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:150]
            raise UsageError(f"--data {name}: cannot be downloaded to {root} ({reason}); try --data FOLDER") from error
        images, labels = loaded.data.numpy(), loaded.targets.numpy()
        if name == "EMNIST-digits":
            images = images.transpose(0, 2, 1)  # it is stored transposed
        labels = labels[:, 0] if labels.ndim == 2 else labels  # QMNIST: the class is the first of eight columns
        splits.append(_make_split(np.ascontiguousarray(images), labels.astype(np.int8), name))
    return Dataset(name, splits[0], splits[1])
