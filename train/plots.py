"""Plots of a run folder: learning curves, weights, predictions."""

import io
from typing import Any, Final

import matplotlib as mpl
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import pad

from batch_infer.contract import CLASSES, IMAGE_SIZE
from train.fitting.loop import Epoch
from train.model.features import CELLS, ORIENTATIONS
from train.model.softmax import SoftmaxRegression

mpl.use("agg")  # draws into memory: no screen needed

_NUM_PREDICTIONS: Final = 40


def plot_history(history: list[Epoch], title: str) -> bytes:
    """Plot the learning curves: loss and accuracy by epoch → PNG."""
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


def plot_weights(model: SoftmaxRegression, features: Tensor) -> bytes:
    """Plot, for each digit, the evidence for it (red) and against it (blue) → PNG.

    For `pixels` and `deskew` these are the weights of the pixels. For `strokes` they are lines: in each of 7×7 cells
    one in each of four orientations, wider for stronger evidence. Neighboring features are strongly correlated, so that
    a single weight means little; shown is the covariance of each feature with the logit instead, each digit scaled to 1
    (Haufe et al. 2014, On the interpretation of weight vectors of linear models in multivariate neuroimaging).

    Args:
        model: a trained model.
        features: `(N, F)` of the images that the covariance is computed over.
    """
    weights = model.linear.weight.detach().cpu()
    weights = weights - weights.mean(dim=0)  # what all digits have in common cancels out in softmax
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(2, CLASSES // 2)
    if model.recipe == "strokes":
        centered = features.cpu() - features.mean(dim=0).cpu()
        scale = _plot_strokes(axes.flat, (centered @ weights.T).T @ centered / len(centered))
    else:
        scale = _plot_pixels(axes.flat, weights)
    for digit, axis in enumerate(axes.flat):
        axis.set_title(str(digit))
        axis.set_axis_off()
    figure.colorbar(scale, ax=axes, label="red: speaks for, blue: against", shrink=0.8)
    return _png(figure)


def _plot_pixels(axes: Any, weights: Tensor) -> Any:
    pictures = weights.reshape(CLASSES, IMAGE_SIZE, IMAGE_SIZE)
    scale = _color_scale(weights)
    for axis, picture in zip(axes, pictures, strict=True):
        axis.imshow(picture, cmap=scale.cmap, norm=scale.norm)
    return scale


def _plot_strokes(axes: Any, weights: Tensor) -> Any:
    half = ORIENTATIONS // 2
    evidence = weights[:, : ORIENTATIONS * CELLS * CELLS].reshape(CLASSES, 2, half, CELLS, CELLS)
    evidence = evidence.sum(dim=1)  # (10, 4, 7, 7): the two sides of a stroke have opposite gradients
    evidence = evidence / evidence.abs().amax(
        dim=(1, 2, 3), keepdim=True
    )  # otherwise the 1 would dominate the color scale
    scale = _color_scale(evidence)
    limit = scale.norm.vmax
    # A stroke is perpendicular to its gradient: along x, y = (0, 1), (1, -1), (1, 0), (1, 1) with y downwards.
    half_lines = torch.tensor([[0.0, 1.0], [0.5**0.5, -(0.5**0.5)], [1.0, 0.0], [0.5**0.5, 0.5**0.5]]) * 0.55
    for axis, cells in zip(axes, evidence, strict=True):
        lines, widths, colors = [], [], []
        for orientation, row, column in torch.cartesian_prod(*map(torch.arange, cells.shape)).tolist():
            value = float(cells[orientation, row, column])
            x, y = half_lines[orientation].tolist()
            lines.append([(column - x, row - y), (column + x, row + y)])
            widths.append(3.5 * min(1.0, abs(value) / limit))
            colors.append(scale.to_rgba(value))
        order = sorted(range(len(lines)), key=lambda number: widths[number])
        axis.add_collection(
            LineCollection(
                [lines[n] for n in order], linewidths=[widths[n] for n in order], colors=[colors[n] for n in order]
            )
        )
        axis.set(xlim=(-1, CELLS), ylim=(CELLS, -1), aspect="equal")
    return scale


def _color_scale(weights: Tensor) -> Any:
    limit = weights.abs().quantile(0.995).item()
    return ScalarMappable(norm=Normalize(-limit, limit), cmap="RdBu_r")


def plot_predictions(images: Tensor, labels: Tensor, predictions: Tensor) -> bytes:
    """Plot test images with the predicted and the true digit, up to half of them mistakes → PNG.

    Args:
        images: `(N, 28, 28)` uint8.
        labels: `(N,)` true digits.
        predictions: `(N,)` predicted digits.
    """
    wrong = (labels != predictions).nonzero().flatten()[: _NUM_PREDICTIONS // 2]
    right = (labels == predictions).nonzero().flatten()[: _NUM_PREDICTIONS - len(wrong)]
    rows = torch.cat([right, wrong])
    columns, padding = 10, 8
    grid = _tile(images[rows], columns, padding)
    figure = Figure(figsize=(9, 9 * grid.shape[0] / grid.shape[1] + 0.4), layout="constrained")
    axis = figure.subplots()
    axis.imshow(grid, cmap="gray", vmin=0, vmax=255)
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


def _tile(images: Tensor, columns: int, padding: int) -> Tensor:
    """Lay out images `(N, 28, 28)` row by row, with white between and around them → `(H, W)` uint8.

    Without torchvision: importing it takes seconds.
    """
    rows = -(-len(images) // columns)
    blank = images.new_full((rows * columns - len(images), *images.shape[1:]), 255)
    tiles = pad(torch.cat([images, blank]), (padding, 0, padding, 0), value=255)  # left and above
    height, width = tiles.shape[1:]
    grid = tiles.reshape(rows, columns, height, width).transpose(1, 2).reshape(rows * height, columns * width)
    return pad(grid, (0, padding, 0, padding), value=255)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    # Without the version of matplotlib in the file, the same run gives the same bytes with the next version, too.
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
