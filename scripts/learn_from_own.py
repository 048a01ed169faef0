"""Measures what `train run --add` gains: one's own pictures, a part of them added, the error on the rest.

    python scripts/learn_from_own.py --data PATH

The error on MNIST is that of 10,000 images that no run was trained on: with `--split validation` images of the training
split, by which things may be chosen; with `--split test` the test split, which is for the end.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from batch_infer.inputs.arrays.idx import idx_bytes
from train import load_run
from train.data import Split, load_data
from train.fitting.evaluate import evaluate
from train.own_digits import OwnDigits, read_own_digits
from train.recipes import DEFAULT_RECIPE

HELD_OUT = 10_000  # images of the training split


class Result(NamedTuple):
    """Errors of one run, how its own pictures were repeated, and how long it took in seconds."""

    own: float
    mnist: float
    repetition: str
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Error on your own pictures and on MNIST, without and with a part of them added to the training.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", required=True, help="labelled pictures: folders 0 to 9, or what batch-infer reads")
    parser.add_argument("--labels", help="file of their labels")
    parser.add_argument("--share", type=float, default=0.4, help="part of the pictures that is added")
    parser.add_argument("--seeds", type=int, default=3, help="number of runs, each with another part")
    parser.add_argument("--recipe", default=DEFAULT_RECIPE, help="what is trained")
    parser.add_argument("--split", choices=["validation", "test"], default="validation", help="images of MNIST")
    parser.add_argument("--images", type=int, default=50_000, help="with validation: images of MNIST to train on")
    options = parser.parse_args()
    own = read_own_digits([options.data], options.labels, "--data")
    for message in own.messages:
        print(message, file=sys.stderr)
    print("| seed | added | rest | repeated | on the rest: without | with | on MNIST: without | with | seconds |")
    print(f"|{'---:|' * 9}")
    with tempfile.TemporaryDirectory() as folder:
        mnist, test = write_mnist(options.split, options.images, Path(folder))
        rows = [measure(own, seed, options, mnist, test) for seed in range(options.seeds)]
    means = [statistics.mean(row[column] for row in rows) for column in range(4)]
    print(f"| mean | | | | {' | '.join(f'{value:.2%}' for value in means)} | |")
    print(f"MNIST ({options.split}): {100 * (means[3] - means[2]):+.3f} points")


def measure(
    own: OwnDigits, seed: int, options: argparse.Namespace, mnist: list[str], test: Split
) -> tuple[float, float, float, float]:
    """Train without and with additions, and print a row → the errors."""
    order = np.random.default_rng(seed).permutation(len(own))
    added = np.zeros(len(own), np.bool_)
    added[order[: round(options.share * len(own))]] = True
    rest = own.where(~added)
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_pair(Path(folder), "own", own.images[added], own.labels[added])
        common = ["--recipe", options.recipe, "--seed", str(seed), *mnist]
        splits = Split(rest.images, rest.labels), test
        without = train([*common, "--out", f"{folder}/without"], splits)
        with_them = train([*common, "--out", f"{folder}/with", "--add", str(pictures)], splits)
    errors = without.own, with_them.own, without.mnist, with_them.mnist
    print(
        f"| {seed} | {int(added.sum()):,} | {len(rest):,} | {with_them.repetition} | "
        f"{' | '.join(f'{value:.2%}' for value in errors)} | {without.seconds:.0f}, {with_them.seconds:.0f} |",
        flush=True,
    )
    return errors


def train(options: list[str], splits: tuple[Split, Split]) -> Result:
    """Run the command `train run`; measure the errors on one's own pictures and on MNIST."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "train", "run", "--quiet", *options], check=True)
    seconds = time.perf_counter() - started
    run = Path(options[options.index("--out") + 1])
    choice = json.loads((run / "config.json").read_text(encoding="utf-8")).get("repetition")
    model = load_run(run)
    own, mnist = (1 - counts.correct / counts.scored for counts in (evaluate(model, split).counts for split in splits))
    return Result(own, mnist, "" if choice is None else f"{choice['repeats']}× ({choice['seconds']:.0f} s)", seconds)


def write_mnist(split: str, images: int, folder: Path) -> tuple[list[str], Split]:
    """Choose the images of MNIST → options of `train run`, and the images that measure the error."""
    data = load_data()
    if split == "test":
        return [], data.test
    order = torch.randperm(len(data.train.labels), generator=torch.Generator().manual_seed(0)).numpy()
    used, held_out = order[:-HELD_OUT][:images], order[-HELD_OUT:]
    write_pair(folder, "train", data.train.images[used], data.train.labels[used])
    test = Split(data.train.images[held_out], data.train.labels[held_out])
    write_pair(folder, "t10k", test.images, test.labels)
    # Of fewer images fewer are for validation, as of all.
    return ["--data", str(folder), "--validation-size", str(min(HELD_OUT, len(used) // 5))], test


def write_pair(folder: Path, name: str, images: np.ndarray, labels: np.ndarray) -> Path:
    """Write a pair of IDX files → the path of the images."""
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx_bytes(labels.astype(np.uint8)))
    path = folder / f"{name}-images-idx3-ubyte"
    path.write_bytes(idx_bytes(images))
    return path


if __name__ == "__main__":
    main()
