"""Finds the four IDX files of a data set, wherever torchvision, Kaggle or a person put them."""

import re
from pathlib import Path
from typing import Final

from batch_infer.errors import UsageError

_PLACES: Final = (".", "MNIST/raw", "QMNIST/raw", "EMNIST/raw", "raw", "gzip")
_SPLITS: Final = {"train": "train", "t10k": "t10k|test"}
_TYPES: Final = {"images": "idx3-ubyte", "labels": "idx1-ubyte"}


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder holds any of the four files, at a place where they are looked for."""
    kinds = "|".join(f"{kind}[-.]{ending}" for kind, ending in _TYPES.items())
    pattern = re.compile(rf"(.+-)?({'|'.join(_SPLITS.values())})-({kinds})(\.gz)?", re.IGNORECASE)
    try:
        return any(_matching(folder / place, pattern) for place in _PLACES)
    except OSError as error:  # no permission, or a disk that fails
        raise UsageError(f"{error.filename or folder}: cannot be listed: {error.strerror}") from error


def find_idx(folder: Path, split: str, kind: str) -> Path:
    """Find one of the four files.

    Besides `train-images-idx3-ubyte[.gz]` and `train-images.idx3-ubyte[.gz]` that is a folder of such a name that holds
    the file, `emnist-digits-train-images-idx3-ubyte`, and `MNIST/raw`. Plain comes before gzip.

    Args:
        folder: the folder of the data set.
        split: `train` or `t10k`.
        kind: `images` or `labels`.

    Raises:
        UsageError: there is none, there are several data sets, or a folder cannot be listed.
    """
    pattern = re.compile(rf"(.+-)?({_SPLITS[split]})-{kind}[-.]{_TYPES[kind]}(\.gz)?", re.IGNORECASE)
    for place in _PLACES:
        try:
            found = _matching(folder / place, pattern)
        except OSError as error:  # no permission, or a disk that fails
            raise UsageError(f"{error.filename or folder}: cannot be listed: {error.strerror}") from error
        exact = [path for path in found if path.name.startswith(split)]
        digits = [path for path in found if "digits" in path.name]
        chosen = exact or digits or found
        if len({_stem(path) for path in chosen}) > 1:
            names = ", ".join(path.name for path in chosen[:4])
            raise UsageError(f"{folder / place}: several data sets ({names}, …); give a folder of one")
        if chosen:
            return chosen[0]
    name = f"{split}-{kind}-{_TYPES[kind]}"
    raise UsageError(f"{folder}: expected {name} or {name}.gz in it; there is neither")


def _matching(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """The files in a folder that match, or lie under a matching name in a folder of such a name; plain ones first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if pattern.fullmatch(path.name):
            found += [path] if path.is_file() else [file for file in path.iterdir() if pattern.fullmatch(file.name)]
    return sorted((path for path in found if path.is_file()), key=lambda path: (path.name.endswith(".gz"), path.name))


def _stem(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").replace(".idx", "-idx")
