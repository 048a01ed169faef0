"""Gates: the least accuracy and the most errors that a run may have."""

import json

import numpy as np
import pytest
from support.helpers import read_rows, save_png

from batch_infer import run_job
from batch_infer.errors import UsageError
from batch_infer.inputs.arrays.idx import idx_bytes


def test_accuracy_at_the_least_accuracy_passes_and_below_fails(tmp_path, few, classifier):
    # A share that has an exact decimal: of 25 images, all of them right but those given a wrong label.
    good = np.flatnonzero(classifier.predict(few.images) == few.labels)[:25]
    (tmp_path / "y-images-idx3-ubyte").write_bytes(idx_bytes(few.images[good]))
    labels = few.labels[good].copy()
    labels[:3] = (labels[:3] + 1) % 10
    (tmp_path / "y-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    codes = {
        limit: run_job(
            [tmp_path / "y-images-idx3-ubyte"], out=tmp_path / "p.csv", min_accuracy=limit, workers=1
        ).exit_code
        for limit in (0, 0.88, 0.880001, 1)
    }
    assert codes == {0: 0, 0.88: 0, 0.880001: 8, 1: 8}


def test_a_missed_gate_publishes_the_outputs_and_says_so(tmp_path, shared_files):
    summary = run_job(
        [shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", min_accuracy=1, workers=1
    )
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert len(read_rows(tmp_path / "p.csv")) == 300
    assert (account["exit_code"], account["published"], account["gates_failed"]) == (8, True, list(summary.gates))
    assert summary.gates == (
        f"--min-accuracy 1: accuracy is {summary.tally.correct / 300:.6f} ({summary.tally.correct} of 300 labelled)",
    )


def test_rows_with_an_error_count_as_wrong_for_the_least_accuracy(tmp_path, few, classifier):
    good = np.flatnonzero(classifier.predict(few.images) == few.labels)[:3]
    for row in good:
        save_png(tmp_path / "in" / str(few.labels[row]) / f"{row}.png", few.images[row])
    (tmp_path / "in" / "7" / "broken.png").parent.mkdir(exist_ok=True)
    (tmp_path / "in" / "7" / "broken.png").write_bytes(b"broken")
    codes = {
        limit: run_job([tmp_path / "in"], out=tmp_path / "p.csv", min_accuracy=limit, max_errors=1, workers=1).exit_code
        for limit in (0.75, 0.76)
    }
    assert codes == {0.75: 0, 0.76: 8}


@pytest.mark.slow
@pytest.mark.parametrize("out", ["p.csv", "p.csv.gz", "p.jsonl", "p.parquet"])
@pytest.mark.parametrize("options", [["--no-report"], ["--incremental", "--verbose"]])
def test_kept_outputs_stay_and_no_line_says_that_there_are_new_ones(run, pngs, tmp_path, out, options):
    root = pngs("7/0.png", "7/1.png")
    run("in", "--out", out, *options)
    before = (tmp_path / out).read_bytes()
    (root / "7" / "x.png").write_bytes(b"broken")
    done = run("in", "--out", out, "--max-errors", "0", "--on-failed-gate", "keep", *options)
    assert (done.code, (tmp_path / out).read_bytes()) == (8, before)
    assert "--max-errors 0: 1 of 3 inputs could not be read; the old outputs stay" in done.stderr
    assert "1 of 3 inputs could not be read (1 not_an_image)\n" in done.stderr
    assert "→" not in done.stderr
    if "--no-report" not in options:
        account = json.loads((tmp_path / "p.run.json").read_text())
        assert (account["exit_code"], account["published"], account["predictions_sha256"]) == (8, False, None)


def test_a_least_accuracy_without_labels_is_wrong_usage(tmp_path, shared_files):
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", min_accuracy=0.5, workers=1)
    assert str(caught.value) == "--min-accuracy: none of the inputs has a label; name them with --labels FILE"
    assert not (tmp_path / "p.csv").exists()


def test_a_least_accuracy_takes_an_idx_label_file(tmp_path, shared_files):
    summary = run_job(
        [shared_files / "few.idx"],
        out=tmp_path / "p.csv",
        labels=shared_files / "labels.idx",
        min_accuracy=0.5,
        workers=1,
    )
    assert (summary.exit_code, summary.tally.labelled) == (0, 300)


@pytest.mark.parametrize(
    ("limit", "code"),
    [(None, 3), ("0", 8), ("1", 8), ("2", 0), (2, 0), ("3", 0), ("0%", 8), ("19.9%", 8), ("20%", 0), ("100%", 0)],
)
def test_two_errors_in_ten_inputs_are_held_against_the_most_errors(tmp_path, pngs, limit, code):
    root = pngs(*(f"{number}.png" for number in range(8)))
    for name in ("x.png", "y.png"):
        (root / name).write_bytes(b"broken")
    assert run_job([root], out=tmp_path / "p.csv", max_errors=limit, workers=1).exit_code == code
    assert len(read_rows(tmp_path / "p.csv")) == 10


@pytest.mark.parametrize("limit", ["", "-1", "x", "1.5", "101%", "%", "5 %", "1e3", "٣", "1\n"])
def test_another_form_of_the_most_errors_is_wrong_usage(shared_files, limit):
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], max_errors=limit, workers=1)
    assert str(caught.value) == f"--max-errors {limit}: expected a count such as 20, or a share such as 2%"


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz", "p.jsonl", "p.parquet"])
@pytest.mark.parametrize("incremental", [False, True])
def test_keep_leaves_the_old_outputs_where_a_gate_failed(tmp_path, pngs, name, incremental):
    folder = pngs("7/a.png", "2/b.png")
    run_job([folder], out=tmp_path / name, incremental=incremental)
    names = [name, "p.accuracy.csv", "p.confusion.csv", "p.mistakes.csv"]
    before = [(tmp_path / each).read_bytes() for each in names]
    (folder / "7" / "broken.png").write_bytes(b"broken")
    summary = run_job([folder], out=tmp_path / name, incremental=incremental, max_errors=0, on_failed_gate="keep")
    assert (summary.exit_code, summary.published) == (8, False)
    assert [(tmp_path / each).read_bytes() for each in names] == before
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert (account["exit_code"], account["published"], account["predictions_sha256"]) == (8, False, None)
    assert account["gates_failed"] == ["--max-errors 0: 1 of 3 inputs could not be read"]


def test_keep_publishes_where_no_gate_failed(tmp_path, pngs):
    summary = run_job([pngs("7/a.png")], out=tmp_path / "p.csv", min_accuracy=0.5, on_failed_gate="keep")
    assert (summary.exit_code, summary.published) == (0, True)
    assert (tmp_path / "p.csv").exists()


def test_the_command_says_that_the_old_outputs_stay(run, pngs, tmp_path):
    pngs("8/a.png")  # it is a 7
    done = run("in", "--out", "p.csv", "--min-accuracy", "0.9", "--on-failed-gate", "keep")
    assert (done.code, done.stderr) == (
        8, "batch-infer: --min-accuracy 0.9: accuracy is 0.000000 (0 of 1 labelled); the old outputs stay\n",
    )  # fmt: skip
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"on_failed_gate": "keep"},
            "--on-failed-gate keep: there is no gate; add --min-accuracy A, --max-errors N or --max-drift X",
        ),
        ({"on_failed_gate": "no", "max_errors": 1}, "--on-failed-gate no: expected publish or keep"),
    ],
)
def test_keep_without_a_gate_is_wrong_usage(tmp_path, pngs, options, words):
    with pytest.raises(UsageError) as caught:
        run_job([pngs("a.png")], out=tmp_path / "p.csv", **options)
    assert str(caught.value) == words


@pytest.mark.parametrize("with_labels", [False, True])
def test_a_damaged_idx_file_counts_as_labelled_only_if_there_are_labels_for_it(few, tmp_path, with_labels):
    path = tmp_path / "x-images-idx3-ubyte"
    path.write_bytes(idx_bytes(few.images)[:-1])
    (tmp_path / "x-labels-idx1-ubyte").write_bytes(idx_bytes(few.labels))
    options = {"out": tmp_path / "p.csv", "min_accuracy": 0.9, "report": False}
    if with_labels:
        assert run_job([path], **options).exit_code == 8
    else:
        with pytest.raises(UsageError, match="--min-accuracy: none of the inputs has a label"):
            run_job([path], labels="none", **options)
        assert not (tmp_path / "p.csv").exists()
