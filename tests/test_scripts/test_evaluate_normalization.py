"""The evaluation: its shares, and how it shows what differs from saved results."""

import json
import sys

import numpy as np
import pytest
from support.helpers import save_png, script
from support.pictures import encoded

from batch_infer.normalization.pipeline import Normalized
from batch_infer.normalization.several import OtherDigits


@pytest.fixture
def evaluate():
    return script("evaluate_normalization")


@pytest.fixture
def call(evaluate, monkeypatch, capsys):
    """Run the script: the lines that it prints below the heads."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["evaluate_normalization.py", *map(str, arguments)])
        evaluate.main()
        return capsys.readouterr().out.splitlines()[1:]

    return run


def test_a_kind_is_one_line_and_the_results_are_saved(call, tmp_path):
    (line,) = call("--kinds", "^inverted$", "--count", 20, "--save", tmp_path / "new.json")
    saved = json.loads((tmp_path / "new.json").read_text())
    assert line.split()[:7] == ["inverted", "100.0", "0.0", "0.0", "0.0", f"{saved['inverted']['< .9']}", "0.0"]
    assert saved["inverted"].keys() == {"right", "no digit", "several", "crash", "< .9", "wrong ≥.9", "ms"}


def test_only_what_differs_by_half_a_point_is_shown(call, tmp_path):
    call("--kinds", "^(inverted|BMP)$", "--count", 20, "--save", tmp_path / "old.json")
    assert call("--kinds", "^(inverted|BMP)$", "--count", 20, "--against", tmp_path / "old.json") == []
    old = json.loads((tmp_path / "old.json").read_text())
    old["BMP"]["right"] -= 0.4
    old["inverted"]["right"] -= 0.6
    (tmp_path / "old.json").write_text(json.dumps(old))
    (line,) = call("--kinds", "^(inverted|BMP)$", "--count", 20, "--against", tmp_path / "old.json")
    assert line.split()[:2] == ["inverted", "99.4→100"]


def test_labelled_folders_are_kinds(call, few, tmp_path):
    for number in range(5):
        save_png(tmp_path / "own" / str(few.labels[number + 1]) / f"{number}.png", few.images[number + 1])
    (line,) = call("--kinds", "^$", "--images", tmp_path / "own")
    assert line.split()[:2] == ["own", "100.0"]


def test_refusals_and_bugs_are_counted(evaluate, few, classifier, monkeypatch):
    two = Normalized(few.images[3], OtherDigits.CERTAIN)
    outcomes = [Normalized(few.images[1]), Normalized(None), two, ZeroDivisionError(), Normalized(few.images[2])]

    def examine_so(_, **_options):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr("renditions.seen.examine", examine_so)
    labels = np.array([few.labels[1], 0, 0, 0, (few.labels[2] + 1) % 10])
    row = evaluate.measure(evaluate.KINDS["inverted"], [encoded(few.images[0])] * 5, labels, classifier)
    del row["ms"]
    assert row == {"right": 20, "no digit": 20, "several": 20, "crash": 20, "< .9": 0, "wrong ≥.9": 20}


def test_several_digits_are_safe_where_they_are_refused_or_unsure(evaluate, few, classifier):
    files = [encoded(255 - few.images[1]), encoded(np.full((100, 100), 255, np.uint8))]
    row = evaluate.measure(evaluate.KINDS["several: near"], files, np.zeros(2, np.int64), classifier)
    assert "right" not in row
    assert row["safe"] == 50
    assert row["wrong ≥.9"] == 50


def test_the_bare_model_is_measured_on_the_image_as_it_is(evaluate, few, classifier):
    row = evaluate.measure(evaluate.KINDS["28 px: fog"], [encoded(few.images[1])], few.labels[1:2], classifier)
    assert (row["bare right"], row["bare wrong ≥.9"]) == (100, 0)
