"""What a person sees at a terminal: bars for one picture, a table for more, and nothing of it anywhere else."""

import csv
import io

import pytest
from support.terminal import at_a_terminal


def bars(shown: str) -> dict[str, tuple[str, str]]:
    """The lines that look like a bar → probability and bar, by digit."""
    lines = [line.split() for line in shown.splitlines() if line.startswith(" ")]
    return {digit: (probability, "".join(bar)) for digit, probability, *bar in lines}


@pytest.mark.parametrize("streams", ["stdout", "stdout stderr"])
def test_one_picture_is_a_bar_for_each_digit(run, pngs, tmp_path, streams):
    pngs("a.png")
    code, shown = at_a_terminal("in/a.png", cwd=tmp_path, streams=streams, COLUMNS="90")
    (row,) = csv.DictReader(io.StringIO(run("in/a.png", "--probabilities").stdout))
    assert code == 0
    assert f"in/a.png: 7, confidence {row['confidence']}\n" in shown
    drawn = bars(shown)
    assert {digit: probability for digit, (probability, _) in drawn.items()} == {
        str(digit): row[f"prob_{digit}"] for digit in range(10)
    }
    assert max(drawn, key=lambda digit: len(drawn[digit][1])) == "7"
    assert drawn["7"][1].startswith("█" * 45)


def test_status_and_label_stand_above_the_bars(run, pngs, tmp_path):
    pngs("7/a.png")
    (tmp_path / "l.csv").write_text("path,label\nin/7/a.png,7\n")
    options = ("--min-confidence", "1", "--labels", "l.csv")
    confidence = next(csv.DictReader(io.StringIO(run("in/7/a.png").stdout)))["confidence"]
    _, shown = at_a_terminal("in/7/a.png", *options, cwd=tmp_path)
    assert f"in/7/a.png: 7, confidence {confidence}, low_confidence, label 7\n" in shown


def test_a_terminal_without_blocks_gets_other_signs(pngs, tmp_path):
    pngs("a.png")
    _, shown = at_a_terminal(
        "in/a.png", cwd=tmp_path, COLUMNS="44", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    )
    assert bars(shown)["7"][1] == "#" * 30  # what 44 columns leave
    assert shown.isascii()


def test_an_error_and_several_pictures_are_a_table_without_probabilities(pngs, tmp_path):
    pngs("a.png", "b.png")
    (tmp_path / "x.png").write_bytes(b"broken")
    code, shown = at_a_terminal("x.png", cwd=tmp_path, COLUMNS="200")
    assert (code, "not_an_image" in shown, "prob_0" in shown, bars(shown)) == (3, True, False, {})
    code, shown = at_a_terminal("in", cwd=tmp_path, COLUMNS="200")
    assert (code, "prediction" in shown, "prob_0" in shown, bars(shown)) == (0, True, False, {})


def test_a_table_has_probabilities_where_they_were_wanted(pngs, tmp_path):
    pngs("a.png", "b.png")
    _, shown = at_a_terminal("in", "--probabilities", cwd=tmp_path, COLUMNS="250")
    assert "prob_9" in shown


def test_a_file_of_many_images_is_a_table_of_the_first(few_idx, tmp_path):
    _, shown = at_a_terminal(few_idx, cwd=tmp_path, COLUMNS="200")
    assert "… and 260 more rows; all of them: --out preds.csv\n" in shown
    assert "prob_0" not in shown


def test_nothing_of_it_without_a_terminal(run, pngs):
    pngs("a.png")
    done = run("in/a.png")
    assert (len(done.stdout.splitlines()), done.stdout.startswith('"path","index"'), done.stderr) == (2, True, "")
    done = run("in/a.png", "--verbose", "--out", "p.csv")
    assert (done.stdout, len(done.stderr.splitlines()), done.stderr.endswith(" s → p.csv\n")) == ("", 1, True)


def test_the_summary_line_names_the_reports_and_the_next_command(pngs, tmp_path):
    pngs("7/a.png", "2/b.png")
    code, shown = at_a_terminal("in", "--out", "p.csv", cwd=tmp_path)
    summary, following = shown.splitlines()[-2:]
    assert code == 0
    assert summary.endswith(
        " s → p.csv · reports: p.report.html, p.accuracy.csv, p.confusion.csv, p.mistakes.csv, p.run.json"
    )  # none of them is missing
    assert (
        following == "batch-infer: next: batch-infer in --out p.csv --incremental (later; only what is new or changed)"
    )


@pytest.mark.parametrize("options", [["--quiet"], ["--max-errors", "0", "--on-failed-gate", "keep"]])
def test_no_next_command_where_it_would_disturb_or_nothing_was_published(pngs, tmp_path, options):
    (pngs("a.png") / "x.png").write_bytes(b"broken")
    _, shown = at_a_terminal("in", "--out", "p.csv", *options, cwd=tmp_path)
    assert ("next:" in shown, "reports:" in shown) == (False, False)
