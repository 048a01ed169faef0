"""Train and export every recipe as it comes, and print the tables of train/README.md: error, calibration, size, time.

    python scripts/recipes.py                                the three recipes
    python scripts/recipes.py --seeds 5 --learning-curve     the tables in train/README.md
    python scripts/recipes.py --quick                        from 1,000 training images, to see that it works

Everything happens in a temporary folder, by the commands that a person would type. Progress goes to stderr.
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
from batch_infer.inputs.idx import idx_bytes
from train.data import Dataset, load_data
from train.recipes import DEFAULT_RECIPE, RECIPES

VALIDATION = 10_000  # images; the default of train run
SIZES = (1_000, 10_000, 50_000)
BATCH, REPEATS = 256, 15


@dataclass(frozen=True)
class Trained:
    """A finished run: what it measured, and how long the command took."""

    folder: Path
    metrics: dict[str, float]
    seconds: float

    @property
    def error(self) -> float:
        """Share of the test images that are wrong, 0–1."""
        return 1 - self.metrics["test_accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 training images instead of 50,000")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="strokes with the seeds 0 to N-1, too")
    parser.add_argument("--learning-curve", action="store_true", help="fewer training images, too")
    options = parser.parse_args()
    dataset = load_data()
    size = SIZES[0] if options.quick else SIZES[-1]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = {few: _subset(dataset, few, root / f"mnist-{few}") for few in SIZES if few <= size}
        runs = {(recipe, size): _train(root, recipe, data[size]) for recipe in RECIPES}
        tables = []
        if options.seeds > 1:
            others = [_train(root, DEFAULT_RECIPE, data[size], seed) for seed in range(1, options.seeds)]
            tables.append(_spread([runs[DEFAULT_RECIPE, size], *others]))
        if options.learning_curve:
            for few, folder in data.items():
                if few < size:
                    runs |= {(recipe, few): _train(root, recipe, folder) for recipe in RECIPES}
            tables.append(_curve({key: run.error for key, run in runs.items()}, list(data)))
        print("\n".join([_comparison({recipe: runs[recipe, size] for recipe in RECIPES}, dataset), *tables]), end="")


def _subset(dataset: Dataset, count: int, folder: Path) -> Path | None:
    """Write IDX files with the first `count` training images of the default run, in its order, and its validation set.

    Training shuffles with a permutation that its seed and the number of images fix: the images are laid where seed 0
    finds them. None stands for the packaged MNIST, which is what the whole would give.
    """
    total = len(dataset.train.labels)
    if count + VALIDATION == total:
        return None
    order, place = (torch.randperm(n, generator=torch.Generator().manual_seed(0)) for n in (total, count + VALIDATION))
    picked = np.empty(len(place), np.int64)
    picked[place.numpy()] = np.concatenate([order[:count].numpy(), order[-VALIDATION:].numpy()])
    folder.mkdir()
    for name, split, rows in (("train", dataset.train, picked), ("t10k", dataset.test, slice(None))):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx_bytes(split.images[rows]))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx_bytes(split.labels[rows].astype(np.uint8)))
    return folder


def _train(root: Path, recipe: str, data: Path | None, seed: int = 0) -> Trained:
    """Run the command `train run` with a recipe's defaults."""
    name = f"{recipe}, seed {seed}, {'packaged MNIST' if data is None else data.name}"
    folder = Path(tempfile.mkdtemp(dir=root)) / "run"
    options = ["--recipe", recipe, "--seed", str(seed), "--out", str(folder), "--quiet"]
    started = time.perf_counter()
    _call("train", "run", *options, *([] if data is None else ["--data", str(data)]))
    seconds = time.perf_counter() - started
    run = Trained(folder, json.loads((folder / "metrics.json").read_text(encoding="utf-8")), seconds)
    print(f"{name}: test error {run.error:.2%}, {seconds:.0f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return run


def _comparison(runs: dict[str, Trained], dataset: Dataset) -> str:
    """Export the runs and make the table of recipes; they are timed in turns, so that all see the same machine."""
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
        features = RECIPES[recipe].features().size
        lines.append(
            f"| `{recipe}` | {features:,} | {10 * features + 10:,} | {run.error:.2%} "
            f"| {run.metrics['test_calibration_error']:.2%} | {(run.folder / 'model.onnx').stat().st_size:,} "
            f"| {statistics.median(times[recipe]):.1f} | {run.seconds:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _spread(runs: list[Trained]) -> str:
    errors = [run.error for run in runs]
    return (
        f"`{DEFAULT_RECIPE}`, seeds 0 to {len(runs) - 1}: test error {statistics.mean(errors):.3%} "
        f"± {statistics.stdev(errors):.3%} (standard deviation; {', '.join(f'{error:.2%}' for error in errors)})\n"
    )


def _curve(errors: dict[tuple[str, int], float], sizes: list[int]) -> str:
    lines = ["| training images | " + " | ".join(f"`{recipe}`" for recipe in RECIPES) + " |"]
    lines.append("|---:|" + "---:|" * len(RECIPES))
    lines += [f"| {few:,} | " + " | ".join(f"{errors[recipe, few]:.2%}" for recipe in RECIPES) + " |" for few in sizes]
    return "\n".join(lines) + "\n"


def _call(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
