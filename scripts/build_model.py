"""Train and export the bundled model, batch_infer/model/mnist-logistic.onnx, and write its model card.

Run it from the repository, in an environment with the extra `train`. On one machine the bytes are the same every time.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from batch_infer.classifier import BUNDLED_MODEL, OnnxClassifier

CARD = """# The bundled model

`mnist-logistic.onnx`: softmax regression, recipe `{recipe}`: {features} features, {parameters:,} learned parameters,
{size:,} bytes.

| | |
|---|---|
| input | `images`, uint8 `[batch, 28, 28]`: one digit each, light ink on dark, centred as in MNIST |
| outputs | `logits` and `probabilities`, float32 `[batch, 10]` |
| trained on | {train:,} images of {dataset}; {validation:,} more for choosing the epoch |
| accuracy on the {test:,} test images | **{accuracy:.2%}** (95 % interval {low:.2%} to {high:.2%}) |
| log-loss, expected calibration error (15 bins) | {loss:.4f} nats, {ece:.2%} |
| parity with torch | max \\|Δ logit\\| ≤ {parity:g} over {images:,} images |
| SHA-256 of the file | `{sha256}` |

Made by `python scripts/build_model.py`: `train run{options}`, then `python -m export onnx`.

It is meant for single handwritten digits. It gives every picture a digit; for other pictures look at `confidence`:
it is mostly lower for letters and scribbles than for digits, but not always low.
MNIST was written by American census workers and students; digit shapes of other writers were generated for training.
"""


def main() -> None:
    options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        _call("train", "run", "--out", str(run), *options)
        _call("export", "onnx", "--run", str(run), "--out", str(BUNDLED_MODEL))
        config, metrics = (json.loads((run / f"{name}.json").read_text()) for name in ("config", "metrics"))
    classifier = OnnxClassifier()
    features = _features(config["recipe"])
    low, high = metrics["test_accuracy_wilson_95"]
    card = CARD.format(
        recipe=config["recipe"],
        features=features,
        parameters=features * 10 + 10,
        size=BUNDLED_MODEL.stat().st_size,
        train=60_000 - config["validation_size"],
        dataset=config["dataset"],
        validation=config["validation_size"],
        test=metrics["test_images"],
        accuracy=metrics["test_accuracy"],
        low=low,
        high=high,
        loss=metrics["test_log_loss"],
        ece=metrics["test_calibration_error"],
        parity=classifier.metadata["parity"]["max_difference"],
        images=classifier.metadata["parity"]["images"],
        sha256=classifier.sha256,
        options="".join(f" {option}" for option in options),
    )
    (BUNDLED_MODEL.parent / "README.md").write_text(card, encoding="utf-8")
    print(card)


def _call(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


def _features(recipe: str) -> int:
    from train.model.features import FEATURES

    return FEATURES[recipe].size


if __name__ == "__main__":
    main()
