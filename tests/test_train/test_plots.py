"""Plots of the scores: what the confusion matrix and the reliability diagram show, and that it can be read."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from batch_infer.reports.metrics import Tally
from train import plots

GREYS = np.linspace(0, 1, 256)


@pytest.fixture
def figure(monkeypatch):
    """Draw a plot → its figure instead of a PNG."""
    monkeypatch.setattr(plots, "_png", lambda drawn: drawn)
    return lambda plot, counts: plot(counts)


def counted(confusion: dict[tuple[int, int], int], bins: dict[int, tuple[int, int, int]]) -> Tally:
    counts = Tally()
    for cell, number in confusion.items():
        counts.confusion[cell] = number
    for position, row in bins.items():
        counts.calibration[position] = row
    return counts


SOME = counted(
    {**{(digit, digit): 1000 + digit for digit in range(10)}, (4, 9): 3, (7, 2): 1},
    {7: (2, 1_000_000, 1), 14: (10_047, 10_026_906_000, 10_044)},
)


def luminance(color: object) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color)]
    return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))


def contrast(one: object, other: object) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_each_count_of_the_confusion_matrix_is_in_its_row_and_column(figure):
    axis = figure(plots.plot_confusion, SOME).axes[0]
    shown = {(round(y), round(x)): text.get_text() for text in axis.texts for x, y in [text.get_position()]}
    assert shown == {**{(digit, digit): f"{1000 + digit:,}" for digit in range(10)}, (4, 9): "3", (7, 2): "1"}
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted digit", "true digit")


def test_the_confusion_matrix_names_recall_and_precision_of_each_digit(figure):
    axis = figure(plots.plot_confusion, SOME).axes[0]
    right, top = axis.child_axes
    assert right.get_yticklabels()[4].get_text() == f"{1004 / 1007:.1%}"
    assert top.get_xticklabels()[9].get_text() == f"{1009 / 1012:.1%}"


def test_more_mistakes_are_darker_and_a_single_one_is_not_white(figure):
    (picture,) = figure(plots.plot_confusion, SOME).axes[0].images
    mistakes = picture.get_array()
    assert np.ma.getmaskarray(mistakes).sum() == 98  # no color without a mistake
    most, one = (luminance(picture.to_rgba(mistakes)[cell][:3]) for cell in ((4, 9), (7, 2)))
    assert most < one < 0.7


@pytest.mark.parametrize("mistakes", [1, 2, 5, 20, 41])
def test_every_count_can_be_read_on_its_color(figure, mistakes):
    counts = counted({(true, 9): true * mistakes // 8 for true in range(9)}, {})
    axis = figure(plots.plot_confusion, counts).axes[0]
    (picture,) = axis.images
    colors = picture.to_rgba(picture.get_array())
    ratios = [contrast(text.get_color(), colors[round(text.get_position()[1]), 9, :3]) for text in axis.texts]
    assert len(ratios) == np.count_nonzero(counts.confusion)
    assert min(ratios) >= 4.5


def test_the_color_that_can_be_read_has_a_contrast_of_4_5_on_any_color():
    colors = [(grey, grey, grey) for grey in GREYS] + [mpl.colormaps["Blues"](grey)[:3] for grey in GREYS]
    assert min(contrast(plots._readable_on(color), color) for color in colors) >= 4.5


def test_reliability_shows_mean_confidence_and_share_of_correct_ones(figure):
    reliability, histogram = figure(plots.plot_reliability, SOME).axes
    points = reliability.containers[0].lines[0]
    np.testing.assert_allclose(points.get_xdata(), [50, 99.8], atol=1e-9)
    np.testing.assert_allclose(points.get_ydata(), [50, 100 * 10_044 / 10_047], atol=1e-9)
    (bars,) = [part.get_segments() for part in reliability.containers[0].lines[2]]
    np.testing.assert_allclose(bars[0][:, 1], [9.4531, 90.5469], atol=1e-3)  # Wilson's interval of 1 in 2
    assert [bar.get_height() for bar in histogram.patches] == [0] * 7 + [2] + [0] * 6 + [10_047]


def test_reliability_without_a_mistake_and_without_doubt(figure):
    counts = counted({(digit, digit): 10 for digit in range(10)}, {14: (100, 100_000_000, 100)})
    reliability = figure(plots.plot_reliability, counts)
    assert reliability.get_suptitle().endswith("Calibration error: 0.00%")
    assert figure(plots.plot_confusion, counts).get_suptitle() == "0 mistakes in 100 test images"


@pytest.mark.parametrize("plot", [plots.plot_confusion, plots.plot_reliability])
def test_the_same_counts_give_the_same_bytes(plot):
    png = plot(SOME)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert plot(SOME) == png
