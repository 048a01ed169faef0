"""Run the export with one weight in the exported graph differing from the checkpoint."""

from typing import Any
from unittest import mock

import torch

import export.job
from export.cli import main as command
from export.to_onnx import to_onnx
from train.model.softmax import SoftmaxRegression


def corrupted(model: SoftmaxRegression, **options: Any) -> bytes:
    """Export a copy of the model in which one weight is a thousandth larger."""
    changed = type(model)(model.recipe)
    changed.load_state_dict(model.state_dict())
    with torch.no_grad():
        changed.linear.weight[3, 400] += 0.001
    return to_onnx(changed.eval(), **options)


if __name__ == "__main__":
    with mock.patch.object(export.job, "to_onnx", corrupted):
        command()
