"""Writes sets of pictures as IDX files and as folders of files, and has the real command classify them."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from changes import Digit, saved
from evaluation.shares import Rows

from batch_infer.inputs.arrays.idx import idx_bytes

Labels = npt.NDArray[np.integer]


def write_idx(folder: Path, name: str, images: Digit, labels: Labels) -> Path:
    """Write images (N, 28, 28) and labels (N,) as IDX files → the path of the images."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-images-idx3-ubyte"
    path.write_bytes(idx_bytes(images))
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx_bytes(labels.astype(np.uint8)))
    return path


def write_files(folder: Path, files: Iterable[bytes], labels: Labels | None = None) -> Path:
    """Write encoded pictures as `<label>/<number>`, or all into `none/` → the folder."""
    for number, data in enumerate(files):
        place = folder / ("none" if labels is None else str(labels[number]))
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:05}.png").write_bytes(data)
    return folder


def as_pngs(images: Digit) -> Iterable[bytes]:
    return (saved(image) for image in images)


def classify(inputs: dict[str, Path], out: Path, model: str | None = None) -> dict[str, Rows]:
    """Run `batch-infer` once on all inputs → the rows of each."""
    options = [
        "--out",
        str(out),
        "--no-report",
        "--quiet",
        "--max-errors",
        "100%",
        *(["--model", model] if model else []),
    ]
    command = [sys.executable, "-m", "batch_infer", *map(str, inputs.values()), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    table = pd.read_csv(out, usecols=["path", "label", "prediction", "confidence", "error"])
    found = {}
    for name, path in inputs.items():
        own = table[(table["path"] == str(path)) | table["path"].str.startswith(f"{path}/")]
        answered = own["error"].isna().to_numpy()
        confidence = own["confidence"].fillna(0).to_numpy()
        found[name] = Rows((own["label"] == own["prediction"]).to_numpy(), confidence, answered)
    return found
