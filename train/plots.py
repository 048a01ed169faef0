"""The pictures of a run folder: learning curves, weights, predictions."""

import io
from typing import Any, Final

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import make_grid

from batch_infer.contract import CLASSES, IMAGE_SIZE
from train.loop import Epoch
from train.model import SoftmaxRegression

mpl.use("agg")  # draws into memory: no screen needed

_SHOWN: Final = 40


def history_picture(history: list[Epoch], title: str) -> bytes:
    """Draw loss and accuracy of training and validation by epoch → PNG."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in history]
    for split in ("train", "validation"):
        loss.plot(epochs, [getattr(epoch, f"{split}_loss") for epoch in history], ".-", label=split)
        accuracy.plot(epochs, [100 * getattr(epoch, f"{split}_accuracy") for epoch in history], ".-", label=split)
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    loss.legend()
    figure.suptitle(title)
    return _png(figure)


def weights_picture(model: SoftmaxRegression) -> bytes:
    """Draw, for each digit, which pixels speak for it (red) and against it (blue) → PNG."""
    weights = model.linear.weight.detach().cpu().reshape(CLASSES, IMAGE_SIZE, IMAGE_SIZE)
    limit = weights.abs().quantile(0.995).item()
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(2, CLASSES // 2)
    for digit, axis in enumerate(axes.flat):
        shown = axis.imshow(weights[digit], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(str(digit))
        axis.axis("off")
    figure.colorbar(shown, ax=axes, label="weight", shrink=0.8)
    return _png(figure)


def predictions_picture(images: Tensor, labels: Tensor, predictions: Tensor) -> bytes:
    """Draw test images with the predicted and the true digit, half of them mistakes → PNG.

    Args:
        images: `(N, 28, 28)` uint8.
        labels: `(N,)` true digits.
        predictions: `(N,)` predicted digits.
    """
    wrong = (labels != predictions).nonzero().flatten()[: _SHOWN // 2]
    right = (labels == predictions).nonzero().flatten()[: _SHOWN - len(wrong)]
    rows = torch.cat([right, wrong])
    columns, padding = 10, 8
    grid = make_grid(images[rows].unsqueeze(1), nrow=columns, padding=padding, pad_value=255)
    figure = Figure(figsize=(9, 9 * grid.shape[1] / grid.shape[2] + 0.4), layout="constrained")
    axis = figure.subplots()
    axis.imshow(grid.permute(1, 2, 0))
    step = IMAGE_SIZE + padding
    for position, row in enumerate(rows.tolist()):
        mistake = labels[row] != predictions[row]
        axis.text(
            padding + position % columns * step,
            padding + position // columns * step,
            f"{predictions[row]}" + (f"  (true {labels[row]})" if mistake else ""),
            color="tab:red" if mistake else "black",
            fontsize=8,
            va="bottom",
        )
    axis.set_title("predicted digit; red: a mistake, with the true one", fontsize=10)
    axis.axis("off")
    return _png(figure)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    # Without the version of matplotlib in the file, the same run gives the same picture for longer.
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
