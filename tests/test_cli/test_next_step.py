"""After a run at a terminal: which report files are named, and which command."""

import pytest

from batch_infer import run_job
from batch_infer.cli.next_step import describe_reports, suggest


@pytest.fixture
def done(tmp_path, monkeypatch, pngs):
    """Run a job on pictures of these names (the first ones of MNIST are 7, 2, 1) → its summary."""
    monkeypatch.chdir(tmp_path)

    def call(*names, out="p.csv", **options):
        pngs(*names)
        return run_job(["in"], out=out, workers=1, **options)

    return call


def test_reports_beside_the_predictions_are_named_without_their_folder(done, tmp_path):
    (tmp_path / "o").mkdir()
    assert describe_reports(done("a.png", out="o/p.csv")) == " · reports: p.report.html, p.run.json"
    assert describe_reports(done("a.png", out="./p.jsonl")) == " · reports: p.report.html, p.run.json"


def test_reports_elsewhere_are_named_with_it_and_safe_for_a_terminal(done, tmp_path):
    (tmp_path / "r\x1b").mkdir()
    assert describe_reports(done("a.png", report_dir="r\x1b")) == " · reports: r%1B/p.report.html, r%1B/p.run.json"
    assert describe_reports(done("a.png", out=None, report_dir="r\x1b")) == (
        " · reports: r%1B/predictions.report.html, r%1B/predictions.run.json"
    )


def test_the_reports_that_are_named_exist(done, tmp_path):
    summary = done("7/a.png", "7/b.png")
    assert len(summary.reports) == 6
    assert all((tmp_path / path).is_file() for path in summary.reports)


def test_without_reports_none_is_named(done):
    summary = done("7/a.png", "7/b.png", report=False)
    assert (summary.reports, describe_reports(summary)) == ((), "")


def test_without_labels_it_is_how_to_measure_the_accuracy(done):
    assert suggest(done("a.png"), ["my scans", "--out", "p.csv"]) == (
        "batch-infer 'my scans' --out p.csv --labels labels.csv (columns path,label: measures the accuracy)"
    )


def test_with_mistakes_it_is_how_to_see_them(done):
    assert suggest(done("7/a.png", "7/b.png"), ["in", "--out", "p.csv"]) == (
        "head ./p.mistakes.csv (the most confident mistakes)"
    )


def test_where_all_is_right_it_is_the_next_night(done):
    summary = done("7/a.png", "2/b.png")
    assert suggest(summary, ["in", "--out", "p.csv"]) == (
        "batch-infer in --out p.csv --incremental (later; only what is new or changed)"
    )
    again = ["in", "--out", "p.csv", "--incremental"]
    assert suggest(summary, again) == "batch-infer in --out p.csv --incremental"


def test_without_a_file_it_is_one(done):
    assert suggest(done("7/a.png", out=None), ["in"]) == "batch-infer in --out preds.csv"


def test_a_long_command_is_not_repeated(done):
    names = [f"in/{number}.png" for number in range(1000)]
    assert suggest(done("a.png", out=None), names) == "batch-infer … --out preds.csv"
