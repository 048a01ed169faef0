"""Measure a model on damaged digits and on what is no digit: the tables of train/README.md.

    python scripts/evaluate_model.py [--split validation|test] [--model FILE] [--count 10000] [--images DIR …]
                                     [--net FILE] [--quick]

Accuracy on the fifteen corruptions of MNIST-C (our own rendering, renditions/fifteen.py), as IDX files and as PNGs,
beside a small convolutional net that is trained here; then what confidence means there, on labelled folders (--images:
DIR/0 … DIR/9), and on pictures that are no digit. All answers are those of the command `batch-infer`.

`--split validation` (the default) takes the training images that `train run` with seed 0 holds out: develop with these.
`--split test` is for a finished model, once. Needs the extra `train`.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from changes import Digit
from evaluation.sets import Labels, as_pngs, classify, write_files, write_idx
from evaluation.shares import TAKEN_AT, Rows, auroc
from evaluation.small_net import SmallNet, predict, train_net
from renditions.fifteen import FIFTEEN, corrupted
from renditions.not_digits import not_digits
from torch import nn

from train.data import load_data

HELD_OUT: Final = 10_000  # validation images of `train run`
SEED: Final = 2024
OTHERS: Final = 1000  # pictures of each kind that is no digit
QUICK: Final = 50
PLAIN: Final = "MNIST"


class Digits(NamedTuple):
    """The digits to measure on, and those that the small net is trained on."""

    images: Digit
    labels: Labels
    train_images: Digit
    train_labels: Labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--model", metavar="FILE", help="ONNX file (default: the bundled model)")
    parser.add_argument("--count", type=int, default=HELD_OUT, metavar="N", help="only the first N digits")
    parser.add_argument("--images", type=Path, nargs="+", default=[], metavar="DIR", help="folders of 0 … 9")
    parser.add_argument("--net", type=Path, metavar="FILE", help="keeps the small net, or has it from an earlier run")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pictures of each kind, to check that it works")
    options = parser.parse_args()
    digits = choose(options.split, QUICK if options.quick else options.count, quick=options.quick)
    net = small_net(digits, options.net)
    with tempfile.TemporaryDirectory() as folder:
        print(tables(digits, net, Path(folder), options.model, options.images, QUICK if options.quick else OTHERS))


def choose(split: str, count: int, *, quick: bool = False) -> Digits:
    """Take the first `count` digits of a split, and the images that seed 0 trains on."""
    data = load_data()
    order = torch.randperm(len(data.train.labels), generator=torch.Generator().manual_seed(0)).numpy()  # as `train run`
    used, held_out = order[: 1_000 if quick else -HELD_OUT], order[-HELD_OUT:][:count]
    train_images, train_labels = data.train.images[used], data.train.labels[used]
    if split == "test":
        return Digits(data.test.images[:count], data.test.labels[:count], train_images, train_labels)
    return Digits(data.train.images[held_out], data.train.labels[held_out], train_images, train_labels)


def small_net(digits: Digits, path: Path | None) -> nn.Module:
    """The net to compare with: trained, or read from a file; a new one is written there."""
    net = SmallNet()
    if path is not None and path.exists():
        net.load_state_dict(torch.load(path, weights_only=True))
        return net.eval()
    train_net(net, digits.train_images, digits.train_labels)
    if path is not None:
        torch.save(net.state_dict(), path)
    return net


def tables(digits: Digits, net: nn.Module, work: Path, model: str | None, folders: list[Path], others: int) -> str:
    """Draw the pictures, classify them, and make the tables."""
    sets = {PLAIN: digits.images} | {name: corrupted(name, digits.images, SEED) for name in FIFTEEN}
    by_net = {name: float(np.mean(predict(net, images) == digits.labels)) for name, images in sets.items()}
    inputs = {}
    for number, (name, images) in enumerate(sets.items()):
        inputs[f"{name}, IDX"] = write_idx(work / "idx", f"{number:02}", images, digits.labels)
        inputs[f"{name}, files"] = write_files(work / f"files-{number:02}", as_pngs(images), digits.labels)
    inputs |= {folder.name: folder for folder in folders}
    drawn = not_digits(digits.images, digits.labels.astype(np.int64), others, SEED)
    inputs |= {name: write_files(work / f"other-{number}", files) for number, (name, files) in enumerate(drawn.items())}
    found = classify(inputs, work / "predictions.csv", model)
    meant = {name: found[f"{name}, IDX"] for name in sets} | {folder.name: found[folder.name] for folder in folders}
    parts = (
        corruption_table({name: (found[f"{name}, IDX"], found[f"{name}, files"], by_net[name]) for name in sets}),
        confidence_table(meant),
        others_table(found[f"{PLAIN}, IDX"], {name: found[name] for name in drawn}),
    )
    return "\n\n".join(parts)


def corruption_table(found: dict[str, tuple[Rows, Rows, float]]) -> str:
    """Accuracy of each kind: as IDX, as files, and of the small net; of the corruptions also mean and worst."""
    rows = {name: (idx.accuracy, files.accuracy, net) for name, (idx, files, net) in found.items()}
    damaged = np.array([row for name, row in rows.items() if name != PLAIN])
    rows |= {"**mean of the corruptions**": tuple(damaged.mean(0)), "**worst of them**": tuple(damaged.min(0))}
    lines = ["| | as IDX | as files | small convolutional net |", "|---|---:|---:|---:|"]
    lines += [f"| {name} | {' | '.join(f'{value:.1%}' for value in row)} |" for name, row in rows.items()]
    return "\n".join(lines)


def confidence_table(found: dict[str, Rows]) -> str:
    """What confidence means for labelled pictures."""
    heads = ["images", "right", "≥ 0.9", "right of them", "≥ 0.99", "right of them", "calibration error"]
    lines = [f"| | {' | '.join(heads)} | taken at {TAKEN_AT:.1%} |", f"|---|{'---:|' * (len(heads) + 1)}"]
    for name, rows in found.items():
        cells = [f"{len(rows.right):,}", f"{rows.accuracy:.1%}"]
        for threshold in (0.9, 0.99):
            cells += [f"{rows.share_above(threshold):.1%}", f"{rows.accuracy_above(threshold):.1%}"]
        cells += [f"{rows.calibration_error():.2%}", f"{rows.share_taken():.0%}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines).replace("nan%", "–")


def others_table(digits: Rows, found: dict[str, Rows]) -> str:
    """How far confidence tells digits from other pictures; a refused picture has the confidence 0."""
    whole = Rows(*(np.concatenate(parts) for parts in zip(*found.values(), strict=True)))
    lines = ["| no digit | pictures | refused | ≥ 0.9 | ≥ 0.99 | AUROC |", "|---|---:|---:|---:|---:|---:|"]
    for name, rows in {**found, "**together**": whole}.items():
        shares = (1 - rows.answered.mean(), rows.share_above(0.9), rows.share_above(0.99))
        area = auroc(digits.confidence, rows.confidence)
        lines.append(f"| {name} | {len(rows.right):,} | {' | '.join(f'{one:.1%}' for one in shares)} | {area:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
