"""Measure the normalization: accuracy, refusals and confident mistakes on many kinds of pictures of training digits.

    python scripts/evaluate_normalization.py [--kinds REGEX] [--count 200] [--seed 1] [--images DIR …]
                                             [--save new.json] [--against old.json]

A line for each kind, in per cent of its pictures:
    right     the bundled model says the digit that was drawn
    no digit  no digit was seen
    several   refused because more than one digit was seen
    crash     `normalize` raised an error that it should not
    < .9      answered with a confidence below 0.9
    wrong ≥.9 answered wrongly with a confidence of 0.9 or more (for kinds with several digits or none: any digit)
    safe      kinds with several digits or none: refused, or a confidence below 0.9
    bare      28×28 kinds: the model's accuracy on the image as it is; and its confident mistakes
    ms        mean time of `normalize` for one picture
At the end the mean of each group of kinds. --against prints only the kinds where a share differs by half a point or
more. The pictures depend on seed and count alone. --images adds folders with sub-folders 0 … 9 of labelled pictures
from elsewhere, as one kind each.
"""

import argparse
import json
import re
import time
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from renditions.catalogue import KINDS, draw, training_digits
from renditions.drawing import Kind
from renditions.seen import see

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import INTERNAL_ERROR
from batch_infer.decoding.decode import decode

SURE: Final = 0.9
NOTEWORTHY: Final = 0.5  # points
COLUMNS: Final = (
    "right", "no digit", "several", "crash", "< .9", "wrong ≥.9", "safe", "bare right", "bare wrong ≥.9", "ms",
)  # fmt: skip
Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default="", metavar="REGEX", help="only kinds in whose names this is found")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="pictures of each kind (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=Path, nargs="+", default=[], metavar="DIR", help="folders of 0 … 9")
    parser.add_argument("--save", type=Path, metavar="JSON", help="save the results")
    parser.add_argument("--against", type=Path, metavar="JSON", help="print what differs from saved results")
    options = parser.parse_args()
    before: dict[str, Row] = json.loads(options.against.read_text(encoding="utf-8")) if options.against else {}
    digits, labels = training_digits()
    classifier = OnnxClassifier()
    results: dict[str, Row] = {}
    print(f"{'':36}" + "".join(f"{name:>16}" if "bare" in name else f"{name:>11}" for name in COLUMNS))
    for name in (name for name in KINDS if re.search(options.kinds, name)):
        drawn = draw(name, digits, labels, options.count, options.seed)
        results[name] = measure(KINDS[name], drawn.files, drawn.labels, classifier)
        show(name, results[name], before)
    for group in dict.fromkeys(map(group_of, results)):
        rows = [row for name, row in results.items() if group_of(name) == group]
        if len(rows) > 1:
            values = {column: [row[column] for row in rows if column in row] for column in COLUMNS}
            mean = {column: round(sum(each) / len(each), 2) for column, each in values.items() if each}
            results[f"mean of {group}"] = mean
            show(f"mean of {group}", mean, before)
    for folder in options.images:
        files = sorted(path for path in folder.glob("[0-9]/*") if path.is_file())
        pictures, own = [path.read_bytes() for path in files], np.array([int(path.parent.name) for path in files])
        results[str(folder)] = measure(Kind(lambda *_: b""), pictures, own, classifier)
        show(folder.name, results[str(folder)], {folder.name: before[str(folder)]} if str(folder) in before else {})
    if options.save:
        options.save.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def group_of(name: str) -> str:
    """The group of a kind: what stands before the colon in its name."""
    return name.partition(":")[0] if ":" in name else "changes"


def measure(kind: Kind, files: list[bytes], labels: npt.NDArray[np.int64], classifier: OnnxClassifier) -> Row:
    """Normalize and classify the pictures of one kind: shares in per cent, and milliseconds."""
    greys = [decode(data).grey for data in files]
    start = time.perf_counter()
    seen = [see(grey) for grey in greys]
    milliseconds = (time.perf_counter() - start) * 1000 / len(seen)
    refusals = np.array([one.refused for one in seen])
    refused = refusals != ""
    images = np.stack([np.zeros((28, 28), np.uint8) if one.image is None else one.image for one in seen])
    probabilities = classifier.predict_proba(images)
    predictions = np.where(refused, -1, probabilities.argmax(1))
    confidence = np.minimum(np.where(refused, 0, probabilities.max(1)), [one.most for one in seen])
    right = (predictions == labels) & (kind.expected == "digit")
    row = {
        "right": _percent(right),
        "no digit": _percent(refusals == "no_digit"),
        "several": _percent(refusals == "several_digits"),
        "crash": _percent(refusals == INTERNAL_ERROR),
        "< .9": _percent(~refused & (confidence < SURE)),
        "wrong ≥.9": _percent(~right & (confidence >= SURE)),
    }
    if kind.expected != "digit":
        del row["right"]
        row["safe"] = _percent(confidence < SURE)
    if kind.corruption:
        bare = classifier.predict_proba(np.stack(greys).astype(np.uint8))
        wrong = bare.argmax(1) != labels
        row |= {"bare right": _percent(~wrong), "bare wrong ≥.9": _percent(wrong & (bare.max(1) >= SURE))}
    return row | {"ms": round(milliseconds, 3)}


def _percent(which: npt.NDArray[np.bool_]) -> float:
    return round(float(np.mean(which)) * 100, 2)


def show(name: str, row: Row, before: dict[str, Row]) -> None:
    """Print a row; if there are results from before, only where it differs, and both values."""
    old = before.get(name)
    cells = []
    differs = not before or old is None
    for column in COLUMNS:
        wide = 16 if "bare" in column else 11
        value = row.get(column)
        text = "" if value is None else f"{value:.2f}" if column == "ms" else f"{value:.1f}"
        if old is not None and value is not None and column in old:
            changed = abs(value - old[column]) >= NOTEWORTHY
            differs |= changed and column != "ms"
            if changed or (column == "ms" and value):
                text = f"{old[column]:.3g}→{value:.3g}"
        cells.append(f"{text:>{wide}}")
    if differs:
        print(f"{name:36}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
