"""Train and export every recipe with its defaults, and print the tables of train/README.md.

    python scripts/recipes.py                                the three recipes
    python scripts/recipes.py --seeds 5 --learning-curve     the tables in train/README.md
    python scripts/recipes.py --quick                        from 1,000 training images, to check that it works

Everything is done in a temporary folder, with the commands that a person would type. Progress goes to stderr.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from batch_infer.classifier import OnnxClassifier
from batch_infer.inputs.arrays.idx import idx_bytes
from train.data import Dataset, load_data
from train.model.features import FEATURES
from train.recipes import DEFAULT_RECIPE, RECIPES

VALIDATION = 10_000  # images; the default of train run
SIZES = (1_000, 10_000, 50_000)
BATCH, REPEATS = 256, 15


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: its metrics, and how long the command took."""

    folder: Path
    metrics: dict[str, float]
    seconds: float

    @property
    def error(self) -> float:
        """Error rate on the test images, 0–1."""
        return 1 - self.metrics["test_accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 training images instead of 50,000")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="also train strokes with the seeds 1 to N-1")
    parser.add_argument("--learning-curve", action="store_true", help="also train with fewer images")
    options = parser.parse_args()
    dataset = load_data()
    size = SIZES[0] if options.quick else SIZES[-1]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = {count: _write_subset(dataset, count, root / f"mnist-{count}") for count in SIZES if count <= size}
        runs = {(recipe, size): _train(root, recipe, data[size]) for recipe in RECIPES}
        tables = []
        if options.seeds > 1:
            other_seeds = [_train(root, DEFAULT_RECIPE, data[size], seed) for seed in range(1, options.seeds)]
            tables.append(_seed_table([runs[DEFAULT_RECIPE, size], *other_seeds]))
        if options.learning_curve:
            for count, folder in data.items():
                if count < size:
                    runs |= {(recipe, count): _train(root, recipe, folder) for recipe in RECIPES}
            tables.append(_learning_curve_table({key: run.error for key, run in runs.items()}, list(data)))
        print("\n".join([_recipe_table({recipe: runs[recipe, size] for recipe in RECIPES}, dataset), *tables]), end="")


def _write_subset(dataset: Dataset, count: int, folder: Path) -> Path | None:
    """Write IDX files with the first `count` training images of the default run, in its order, and its validation set.

    Training shuffles by a permutation that depends on its seed and the number of images: the images are placed where
    seed 0 finds them. Returns None for all images: that is the packaged MNIST.
    """
    total = len(dataset.train.labels)
    if count + VALIDATION == total:
        return None
    order, positions = (
        torch.randperm(n, generator=torch.Generator().manual_seed(0)) for n in (total, count + VALIDATION)
    )
    selected = np.empty(len(positions), np.int64)
    selected[positions.numpy()] = np.concatenate([order[:count].numpy(), order[-VALIDATION:].numpy()])
    folder.mkdir()
    for name, split, rows in (("train", dataset.train, selected), ("t10k", dataset.test, slice(None))):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx_bytes(split.images[rows]))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx_bytes(split.labels[rows].astype(np.uint8)))
    return folder


def _train(root: Path, recipe: str, data: Path | None, seed: int = 0) -> TrainedRun:
    """Run the command `train run` with a recipe's defaults."""
    name = f"{recipe}, seed {seed}, {'packaged MNIST' if data is None else data.name}"
    folder = Path(tempfile.mkdtemp(dir=root)) / "run"
    options = ["--recipe", recipe, "--seed", str(seed), "--out", str(folder), "--quiet"]
    started = time.perf_counter()
    _call("train", "run", *options, *([] if data is None else ["--data", str(data)]))
    seconds = time.perf_counter() - started
    run = TrainedRun(folder, json.loads((folder / "metrics.json").read_text(encoding="utf-8")), seconds)
    print(f"{name}: test error {run.error:.2%}, {seconds:.0f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return run


def _recipe_table(runs: dict[str, TrainedRun], dataset: Dataset) -> str:
    """Export the runs and make the table of recipes; timed in turns, so that changes in load affect all alike."""
    for run in runs.values():
        _call("export", "onnx", "--run", str(run.folder), "--out", str(run.folder / "model.onnx"))
    classifiers = {recipe: OnnxClassifier(run.folder / "model.onnx") for recipe, run in runs.items()}
    images, times = dataset.test.images, {recipe: list[float]() for recipe in runs}
    for _ in range(REPEATS):
        for recipe, classifier in classifiers.items():
            started = time.perf_counter()
            classifier.predict_proba(images, batch=BATCH)
            times[recipe].append((time.perf_counter() - started) / len(images) * 1e6)
    lines = [
        "| recipe | features | parameters | test error | calibration error | ONNX bytes | µs/image | training, s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for recipe, run in runs.items():
        features = FEATURES[recipe].size
        lines.append(
            f"| `{recipe}` | {features:,} | {10 * features + 10:,} | {run.error:.2%} "
            f"| {run.metrics['test_calibration_error']:.2%} | {(run.folder / 'model.onnx').stat().st_size:,} "
            f"| {statistics.median(times[recipe]):.1f} | {run.seconds:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _seed_table(runs: list[TrainedRun]) -> str:
    errors = [run.error for run in runs]
    return (
        f"`{DEFAULT_RECIPE}`, seeds 0 to {len(runs) - 1}: test error {statistics.mean(errors):.3%} "
        f"± {statistics.stdev(errors):.3%} (standard deviation; {', '.join(f'{error:.2%}' for error in errors)})\n"
    )


def _learning_curve_table(errors: dict[tuple[str, int], float], sizes: list[int]) -> str:
    lines = ["| training images | " + " | ".join(f"`{recipe}`" for recipe in RECIPES) + " |"]
    lines.append("|---:|" + "---:|" * len(RECIPES))
    lines += [
        f"| {count:,} | " + " | ".join(f"{errors[recipe, count]:.2%}" for recipe in RECIPES) + " |" for count in sizes
    ]
    return "\n".join(lines) + "\n"


def _call(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
