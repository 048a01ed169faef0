"""Plots of a run folder: learning curves, weights, predictions, confusion matrix, reliability diagram.

No color has to be told from another by red against green: one man in twelve cannot.
"""

import io
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import pad

from batch_infer.contract import CLASSES, IMAGE_SIZE, MILLION
from batch_infer.reports.metrics import CALIBRATION_BINS, Tally, class_scores, wilson_interval
from train.fitting.loop import Epoch
from train.model.features import CELLS, ORIENTATIONS
from train.model.softmax import SoftmaxRegression

mpl.use("agg")  # draws into memory: no screen needed

_NUM_PREDICTIONS: Final = 40
_HOW_TO_READ: Final = {
    "pixels": "Red: ink at this pixel speaks for the digit. Blue: it speaks against it.",
    "deskew": "Red: ink at this pixel of the upright digit speaks for it. Blue: it speaks against it.",
    "strokes": "Red: a stroke here, in the direction of the line, speaks for the digit. Blue: it speaks against it. "
    "Wide lines count most.",
}


def plot_history(history: list[Epoch], title: str) -> bytes:
    """Plot the learning curves: loss and accuracy by epoch → PNG."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in history]
    for split, style in (("train", ".-"), ("validation", "s--")):
        looks: dict[str, Any] = {"label": split, "markersize": 5}
        loss.plot(epochs, [getattr(epoch, f"{split}_loss") for epoch in history], style, **looks)
        accuracy.plot(epochs, [100 * getattr(epoch, f"{split}_accuracy") for epoch in history], style, **looks)
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    for axis in (loss, accuracy):
        axis.xaxis.get_major_locator().set_params(integer=True)
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
    figure.colorbar(scale, ax=axes, label="evidence", shrink=0.8)
    figure.suptitle(_HOW_TO_READ[model.recipe], fontsize=10)
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
    axis.set_title("predicted digit; a mistake is red, with the true digit beside it", fontsize=10)
    axis.axis("off")
    return _png(figure)


def plot_confusion(counts: Tally) -> bytes:
    """Plot the confusion matrix: mistakes darker the more there are of a class, the correct ones uncolored → PNG.

    Args:
        counts: of a labelled split; every image has a prediction.
    """
    confusion, scores = counts.confusion, class_scores(counts.confusion)
    mistakes = confusion - np.diag(scores.correct)
    figure = Figure(figsize=(7.2, 6.2), layout="constrained")
    axis = figure.subplots()
    most = max(1, int(mistakes.max()))
    scale = Normalize(-0.25 * most, most)  # a single mistake is not white
    picture = axis.imshow(np.ma.masked_equal(mistakes, 0), cmap="Blues", norm=scale)
    for true, predicted in np.argwhere(confusion).tolist():
        correct = true == predicted
        axis.text(
            predicted,
            true,
            f"{confusion[true, predicted]:,}",
            ha="center",
            va="center",
            fontsize=8 if correct else 10,
            color="0.4" if correct else _readable_on(picture.cmap(scale(mistakes[true, predicted]))),
        )
    digits = range(CLASSES)
    axis.set(xticks=digits, yticks=digits, xlabel="predicted digit", ylabel="true digit")
    axis.set_xticks(np.arange(CLASSES + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(CLASSES + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="0.88", linewidth=0.8)
    axis.tick_params(which="minor", length=0)
    right = axis.secondary_yaxis("right")
    right.set_yticks(digits, [f"{recall:.1%}" for recall in scores.recall], fontsize=8)
    right.set_ylabel("of the true digits, found (recall)")
    top = axis.secondary_xaxis("top")
    top.set_xticks(digits, [f"{precision:.1%}" for precision in scores.precision], fontsize=8)
    top.set_xlabel("of the predictions, correct (precision)")
    figure.suptitle(f"{counts.scored - counts.correct:,} mistakes in {counts.scored:,} test images")
    return _png(figure)


def plot_reliability(counts: Tally) -> bytes:
    """Plot how often predictions of each confidence are correct, with 95 % intervals, and their numbers → PNG.

    Args:
        counts: of a labelled split; every image has a prediction.
    """
    number, confidence, correct = counts.calibration[counts.calibration[:, 0] > 0].T
    x, y = confidence / MILLION / number, correct / number
    low, high = np.array([wilson_interval(*pair) for pair in zip(correct.tolist(), number.tolist(), strict=True)]).T
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    reliability, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    reliability.plot([0, 100], [0, 100], "--", color="0.5", label="as often correct as it says")
    bars = 100 * np.maximum(0, [y - low, high - y])
    reliability.errorbar(100 * x, 100 * y, bars, fmt="o", capsize=3, label="test images, with 95% interval")
    reliability.set(xlim=(0, 101), ylim=(-2, 102), ylabel="correct (%)")
    reliability.legend(loc="upper left", fontsize=9)
    edges = np.linspace(0, 100, CALIBRATION_BINS + 1)
    histogram.bar(edges[:-1], counts.calibration[:, 0], width=np.diff(edges), align="edge", edgecolor="white")
    histogram.set(yscale="log", ylim=(0.7, None), xlabel="confidence (%)", ylabel="test images")
    figure.suptitle(f"Below the dashed line: too sure of itself. Calibration error: {counts.calibration_error:.2%}")
    return _png(figure)


def _readable_on(background: Sequence[float]) -> str:
    """Black or white: whichever has the higher contrast on a color, which is then at least 4.5 (WCAG 2.2)."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in background[:3])
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"


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
