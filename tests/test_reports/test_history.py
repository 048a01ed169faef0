"""The history of an output: its file, read and written, and what of a damaged one is kept."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_infer.errors import OutputError
from batch_infer.reports.history import COLUMNS, History, PastRun, past_run, read_history
from batch_infer.reports.metrics import CONFIDENCE_BOUNDS, Tally

RUN = PastRun(
    finished="2026-11-27T03:00:01.500Z",
    exit_code=3,
    statuses=(7, 2, 1),
    labelled=8,
    correct=6,
    mean_confidence=0.912345,
    predicted=(1, 1, 1, 1, 1, 1, 1, 1, 1, 0),
    confidences=(1, 0, 2, 0, 0, 3, 3, 0),
    way=("ab" * 32, "3", "auto"),
    psi=(0.012345, None),
)
HEADER = (
    "finished,exit_code,rows,ok,low_confidence,error,labelled,correct,accuracy,mean_confidence,"
    "predicted_0,predicted_1,predicted_2,predicted_3,predicted_4,"
    "predicted_5,predicted_6,predicted_7,predicted_8,predicted_9,"
    "confidence_to_0.5,confidence_to_0.7,confidence_to_0.8,confidence_to_0.9,"
    "confidence_to_0.95,confidence_to_0.99,confidence_to_0.999,confidence_to_1,"
    "psi_classes,psi_confidence,model_sha256,normalization,fit\n"
)
LINE = (
    "2026-11-27T03:00:01.500Z,3,10,7,2,1,8,6,0.750000,0.912345,1,1,1,1,1,1,1,1,1,0,1,0,2,0,0,3,3,0,0.012345,,"
    f"{'ab' * 32},3,auto\n"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.history.csv"


def test_a_run_is_a_row(path):
    content = History().csv([RUN])
    assert content.decode() == HEADER + LINE
    path.write_bytes(content)
    assert read_history(str(path)) == History((RUN,))


def test_what_the_report_shows_of_a_run():
    assert (RUN.rows, RUN.errors, RUN.accuracy, RUN.mean_confidence) == (10, 1, 0.75, 0.912345)
    assert replace(RUN, labelled=0, correct=0).accuracy is None


def test_the_bins_of_confidence_end_at_the_names_of_their_columns():
    counts = Tally()
    counts.statuses[0] = counts.predicted[4] = len(CONFIDENCE_BOUNDS)
    counts.confidence += 1
    assert past_run(counts, RUN.way).confidences == (10, 4, 2, 2, 1, 1, 1, 1)


def test_a_run_without_predictions_has_no_mean(path):
    counts = Tally()
    counts.statuses[2] = counts.errors[3] = 5
    run = past_run(counts, RUN.way, finished=RUN.finished, exit_code=3)
    assert (run.mean_confidence, run.accuracy, run.predicted_rows) == (None, None, 0)
    path.write_bytes(History().csv([run]))
    assert read_history(str(path)) == History((run,))


@pytest.mark.parametrize(("content", "damaged"), [(None, 0), (b"", 0), (bytes(4096), 1)])
def test_no_file_an_empty_one_and_zeros_are_an_empty_history(path, content, damaged):
    if content is not None:
        path.write_bytes(content)
    assert read_history(str(path)) == History(damaged=damaged)


@pytest.mark.parametrize(
    "line",
    [
        LINE[:70] + "\n",
        LINE.replace(",10,", ",11,"),  # rows are not the sum of their statuses
        LINE.replace(",1,0,2,0,0,3,3,0,", ",1,0,2,0,0,3,3,1,"),
        LINE.replace(",8,6,", ",8,9,"),
        LINE.replace(",8,6,", ",8,-6,"),
        LINE.replace("0.912345", "nan"),
        LINE.replace("0.912345", "high"),
        LINE.replace("2026-", "=cmd|"),
        LINE.replace("abab", "<b>x"),
        LINE.replace(",auto", ""),
        '"' + LINE,
        "\x00\x00\x00\n",
    ],
)
def test_a_damaged_line_is_left_out_and_counted(path, line):
    path.write_text(HEADER + LINE + line + LINE)
    assert read_history(str(path)) == History((RUN, RUN), damaged=1)


@given(st.binary(max_size=200))
def test_any_bytes_in_the_place_of_a_line_are_harmless(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("history") / "p.history.csv"
    path.write_bytes((HEADER + LINE).encode() + content.replace(b"\n", b"") + b"\n" + LINE.encode())
    assert read_history(str(path)).runs[0::2] in {(RUN,), (RUN, RUN)}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_spreadsheet_may_have_saved_it(path, delimiter):
    text = (HEADER + LINE).replace(",", delimiter).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("auto", '"auto"').encode())
    assert read_history(str(path)) == History((RUN,))


def test_of_more_rows_the_last_thirty_count(path):
    runs = [replace(RUN, exit_code=number) for number in range(40)]
    path.write_bytes(History().csv(runs))
    assert [run.exit_code for run in read_history(str(path)).runs] == list(range(10, 40))


def test_columns_of_a_newer_version_are_kept(path):
    path.write_text(HEADER.replace("\n", ",writers\n") + LINE.replace("\n", ',"a, b"\n'))
    history = read_history(str(path))
    assert (history.more, history.runs[0].more) == (("writers",), ("a, b",))
    assert history.csv([*history.runs, RUN]).decode() == (
        HEADER.replace("\n", ",writers\n") + LINE.replace("\n", ',"a, b"\n') + LINE.replace("\n", ",\n")
    )


@pytest.mark.parametrize("name", COLUMNS[2:])
def test_a_history_without_one_of_the_columns_is_of_another_version(path, name):
    content = HEADER.replace(f",{name}", ",something", 1)
    path.write_text(content)
    with pytest.raises(OutputError) as caught:
        read_history(str(path))
    assert str(caught.value) == (
        f"{path}: is a history of another version of batch-infer (there is no column {name}), and stays as it is; "
        "move it away"
    )


@pytest.mark.parametrize("content", ["date,event\n1066,Hastings\n", "finished\n", "x", "finished;exit,code\n"])
def test_a_file_of_another_program_is_none(path, content):
    path.write_text(content)
    with pytest.raises(OutputError) as caught:
        read_history(str(path))
    assert str(caught.value) == f"{path}: is not a history of batch-infer, and stays as it is; move it away"


def test_confidence_bins_of_metrics_hold_those_of_the_history():
    assert np.all(np.diff(CONFIDENCE_BOUNDS) > 0)
    assert len(CONFIDENCE_BOUNDS) == len(Tally().confidence)
