"""What the parts of the page say: what ran, what to review, accuracy, charts, earlier runs."""

from dataclasses import replace

import numpy as np
import pytest
from support.report_content import past_run

from batch_infer.reports.html.accuracy import accuracy
from batch_infer.reports.html.charts import SIDE, histogram, reliability
from batch_infer.reports.html.content import ReportContent, ReportRow
from batch_infer.reports.html.history import history
from batch_infer.reports.html.overview import overview
from batch_infer.reports.html.pictures import Pictures
from batch_infer.reports.html.review import MAX_ANSWERS, OPEN, review
from batch_infer.reports.metrics import Tally, wilson_interval

NONE = Pictures(shown=False)


def row(path, prediction: int | None = 3, label=None, error="", index=None):
    return ReportRow(path, index, prediction, 0.5, label, error)


def test_the_head_names_the_file_and_shortens_long_lists():
    run = {
        "predictions": "/srv/out/preds.csv",
        "inputs": [f"/srv/{number}" for number in range(12)],
        "skipped_suffixes": {f".{number}": 2 for number in range(25)},
        "skipped": {"other_suffix": 50, "hidden_file": 1},
    }
    head = overview(ReportContent(run=run))
    assert head.name == "preds.csv"
    assert dict(head.facts)["Inputs"][-2:] == ("/srv/9", "… and 2 more")
    assert head.skipped[-2:] == (("further suffixes", 10), ("hidden file", 1))
    assert len(head.skipped) == 22


def test_the_bars_of_the_statuses_are_their_shares():
    head = overview(ReportContent(run={}, tally=Tally(statuses=np.array([6, 3, 1]))))
    assert [(status.name, status.rows, status.share) for status in head.statuses] == [
        ("ok", 6, 60),
        ("low_confidence", 3, 30),
        ("error", 1, 10),
    ]


def test_mistakes_come_before_doubtful_answers_and_refused_pictures():
    content = ReportContent(
        run={},
        review=(row("a", label=4), row("b"), row("c", label=3)),
        refused=(row("d", None, error="no_digit"), row("e", None, error="several_digits")),
    )
    found = review(content, NONE)
    assert [(group.name, [card.path for card in group.first]) for group in found.groups] == [
        ("Most confident mistakes", ["a"]),
        ("Least confident answers", ["b", "c"]),
        ("Several digits", ["e"]),
        ("No digit", ["d"]),
    ]
    assert found.cards == 5


def test_a_row_is_shown_once():
    content = ReportContent(run={}, review=(row("a", index=1), row("a", index=2), row("a", index=1)))
    assert review(content, NONE).cards == 2


def test_many_mistakes_leave_half_of_the_places_to_doubtful_answers():
    rows = [row(f"m{number}", label=4) for number in range(300)] + [row(f"d{number}") for number in range(300)]
    mistakes, doubtful = review(ReportContent(run={}, review=tuple(rows)), NONE).groups
    assert len(mistakes.first + mistakes.more) == len(doubtful.first + doubtful.more) == MAX_ANSWERS // 2
    assert len(mistakes.first) == OPEN


def test_few_mistakes_leave_more_places_to_doubtful_answers():
    rows = [row("m", label=4)] + [row(f"d{number}") for number in range(300)]
    _, doubtful = review(ReportContent(run={}, review=tuple(rows)), NONE).groups
    assert len(doubtful.first + doubtful.more) == MAX_ANSWERS - 1


def labelled_tally():
    confusion = np.zeros((10, 10), np.int64)
    confusion[3, 3], confusion[3, 5], confusion[3, 8], confusion[4, 4] = 950, 4, 30, 10
    unpredicted = np.zeros(10, np.int64)
    unpredicted[3] = 16
    return Tally(confusion=confusion, unpredicted=unpredicted)


def test_the_accuracy_counts_rows_without_an_answer_as_wrong():
    found = accuracy(ReportContent(run={}, tally=labelled_tally()), NONE)
    assert (found.correct, found.labelled, found.unpredicted) == (960, 1010, 16)
    assert (found.low, found.high) == wilson_interval(960, 1010)


def test_only_mistakes_have_a_colour_by_their_share_of_the_row():
    found = accuracy(ReportContent(run={}, tally=labelled_tally()), NONE)
    assert [cell.level for cell in found.classes[3].cells] == [0, 0, 0, 0, 0, 1, 0, 0, 4, 0]


def test_a_cell_leads_to_four_pictures_at_most():
    cells = {(3, 5): tuple(row(f"{number}", 5, 3) for number in range(6))}
    content = ReportContent(run={}, tally=labelled_tally(), cells=cells)
    (cell,) = accuracy(content, NONE).pictured
    assert (cell.name, [card.path for card in cell.pictures]) == ("c35", ["0", "1", "2", "3"])
    assert accuracy(replace(content, pictures=False), NONE).pictured == ()


def test_without_labels_there_is_no_accuracy():
    assert accuracy(ReportContent(run={}), NONE) is None


def test_a_dot_of_the_reliability_diagram_is_at_its_confidence_and_accuracy():
    tally = labelled_tally()
    tally.calibration[13] = 100, 90_000_000, 75
    (dot,) = reliability(tally)
    low, high = wilson_interval(75, 100)
    assert (dot.x, dot.y) == (0.9 * SIDE, 0.25 * SIDE)
    assert (dot.bottom, dot.top) == pytest.approx((SIDE * (1 - low), SIDE * (1 - high)), abs=0.05)


def test_the_histogram_has_a_logarithmic_scale():
    chart = histogram((0, 9, 0, 99))
    assert [bar.rows for bar in chart.bars] == [0, 9, 0, 99]
    assert chart.bars[1].height == pytest.approx(SIDE / np.log10(101), abs=0.1)
    assert [number for _, number in chart.ticks] == [0, 1, 10, 100]
    assert chart.ticks[0][0] == SIDE


def test_without_answers_there_is_no_histogram():
    assert histogram((0,) * 20) is None


def past(day, accuracy_of_run: float | None, errors=0):
    return past_run(f"2026-11-{day:02}T03:00:00Z", 100, errors, accuracy_of_run, 0.9)


def test_lines_go_from_the_oldest_run_to_the_latest_and_stop_where_nothing_is_known():
    runs = (past(1, 0.9), past(2, 0.8), past(3, None), past(4, 1.0))
    found = history(ReportContent(run={}, history=runs))
    assert [line.name for line in found.lines] == ["Accuracy", "Errors", "Mean confidence"]
    line = found.lines[0]
    assert line.pieces == ("4.0,22.0 101.3,40.0",)
    assert line.dots == ((296.0, 4.0),)
    assert (line.now, line.lowest, line.highest) == ("100.00%", "80.00%", "100.00%")
    assert found.runs[0].finished == "2026-11-01 03:00:00 UTC"


def test_what_was_never_known_has_no_line():
    found = history(ReportContent(run={}, history=(past(1, None), past(2, None))))
    assert [line.name for line in found.lines] == ["Errors", "Mean confidence"]


def test_one_run_has_no_lines():
    found = history(ReportContent(run={}, history=(past(1, 0.9),)))
    assert (found.lines, len(found.runs)) == ((), 1)


def test_drift_is_in_sentences():
    words = "predicted classes: no change (PSI 0.01); confidence: too few to tell"
    found = history(ReportContent(run={"drift": {"classes": 0.01, "words": words}}))
    assert found.drift == ("Predicted classes: no change (PSI 0.01).", "Confidence: too few to tell.")
    assert history(ReportContent(run={})).drift == ()
