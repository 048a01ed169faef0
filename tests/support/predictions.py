"""Predictions: three rows as columns (a correct one, one of low confidence, an error); files of all formats, read."""

from pathlib import Path

import numpy as np
import pandas as pd

from batch_infer.predictions import Predictions

NAMES = ["a.png", 'say "hi", you.png', "grüße.png"]


def batch(*, start: int | None = None, paths: list[str] | str = NAMES) -> Predictions:
    """Three rows: a correct one, one without a label and of low confidence, an error."""
    ppm = np.zeros((3, 10), np.int32)
    ppm[0, [7, 3]] = 999_999, 1
    ppm[1, [0, 1]] = 500_000, 500_000
    return Predictions(
        paths=paths,
        start=start,
        labels=np.array([7, -1, 3], np.int8),
        predictions=np.array([7, 0, -1], np.int8),
        probabilities_ppm=ppm,
        statuses=np.array([0, 1, 2], np.uint8),
        error_numbers=np.array([0, 0, 1], np.uint8),
    )


def read_frame(path: Path) -> pd.DataFrame:
    """The rows of a predictions file of any format; paths and codes stay texts."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True, dtype={"path": str})
    return pd.read_csv(path)
