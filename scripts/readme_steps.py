"""Draw the pictures in the README of the normalization: every step of some pictures of training digits.

python scripts/readme_steps.py
"""

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from explain import Step, explain, lay_out
from renditions.catalogue import draw, training_digits

from batch_infer.classifier import OnnxClassifier

PICTURES: Final = Path(__file__).parents[1] / "batch_infer" / "normalization" / "pictures"
SEED: Final = 14
# The file, the kind, and which picture of that kind.
SHOWN: Final = (
    ("church-book", "church book", 0),
    ("form-box", "form box", 1),
    ("hard-shadow", "hard shadow", 2),
    ("photo", "photo 1200 × 900", 4),
)


def main() -> None:
    images, labels = training_digits()
    classifier = OnnxClassifier()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "picture"
        for name, kind, number in SHOWN:
            drawn = draw(kind, images, labels, number + 1, SEED)
            source.write_bytes(drawn.files[number])
            steps, answer = explain(source, classifier)
            shown = [step for before, step in pairwise((None, *steps)) if before is None or not _same(before, step)]
            sheet = lay_out(shown, answer).convert("L").quantize(24)
            sheet.save(PICTURES / f"{name}.png", optimize=True)
            print(f"{name}: {drawn.labels[number]}, seen as {answer}: {', '.join(step.name for step in shown)}")


def _same(one: Step, other: Step) -> bool:
    return np.array_equal(one.picture, other.picture)


if __name__ == "__main__":
    main()
