"""An output is no input of its run, and where --out is a link, its target is written."""

import os
import shutil
import subprocess
import sys

import pytest
from support.helpers import read_rows, save_png

from batch_infer.classifier import BUNDLED_MODEL
from batch_infer.errors import LockError, OutputError, UsageError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.job.run import run_job
from batch_infer.outputs.atomic import write_atomically
from batch_infer.outputs.lock import locked


@pytest.fixture
def job(tmp_path, few, monkeypatch):
    """Two pictures, their labels, and the working folder."""
    for number in range(2):
        save_png(tmp_path / "in" / f"{number}.png", few.images[number])
    (tmp_path / "x.csv").write_text("path,label\nin/0.png,7\nin/1.png,2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listing(job):
    return {path: path.read_bytes() for path in job.rglob("*") if path.is_file()}


def refused(job, *inputs, **options):
    before = listing(job)
    with pytest.raises(UsageError) as caught:
        run_job(inputs or ["in"], workers=1, **options)
    assert listing(job) == before
    return str(caught.value)


@pytest.mark.parametrize("labels", ["x.csv", "./in/../x.csv", "link.csv", "ABSOLUTE"])
def test_the_labels_are_not_replaced(job, labels):
    os.symlink("x.csv", "link.csv")
    labels = labels.replace("ABSOLUTE", str(job / "x.csv"))
    assert refused(job, out="x.csv", labels=labels) == (
        f"--labels {labels}: would be replaced, as the run writes x.csv; choose another --out"
    )


def test_the_labels_are_not_replaced_by_way_of_a_link(job):
    os.symlink("x.csv", "p.csv")
    assert refused(job, out="p.csv", labels="x.csv") == (
        f"--labels x.csv: would be replaced, as the run writes {job}/x.csv; choose another --out"
    )


@pytest.mark.parametrize(
    "name", ["p.accuracy.csv", "p.confusion.csv", "p.mistakes.csv", "p.report.html", "p.run.json", "p.lock", "p.state"]
)
def test_the_labels_are_not_replaced_by_a_report_lock_or_state(job, name):
    os.rename("x.csv", name)
    message = refused(job, out="p.csv", labels=name)
    assert message.startswith(f"--labels {name}: would be replaced, as the run writes ")


def test_the_labels_are_not_replaced_by_a_report_in_another_folder(job):
    (job / "reports").mkdir()
    shutil.copy("x.csv", "reports/p.accuracy.csv")
    message = refused(job, out="p.csv", report_dir="reports", labels="reports/p.accuracy.csv")
    assert message.startswith("--labels reports/p.accuracy.csv: would be replaced")
    message = refused(job, report_dir="reports", labels="reports/../reports/p.accuracy.csv", out="p.csv.gz")
    assert message.startswith("--labels reports/../reports/p.accuracy.csv: would be replaced")


def test_the_model_is_not_replaced(job):
    shutil.copy(BUNDLED_MODEL, "model.csv")
    assert refused(job, out="model.csv", model="model.csv").startswith("--model model.csv: would be replaced")
    os.symlink(BUNDLED_MODEL, "p.csv")
    assert refused(job, out="p.csv").startswith(f"--model {BUNDLED_MODEL}: would be replaced")


@pytest.mark.parametrize("inputs", [["p.csv"], ["in", "p.csv"]])
def test_an_input_is_not_replaced(job, inputs):
    shutil.copy("in/0.png", "p.csv")
    assert refused(job, *inputs, out="p.csv") == (
        "INPUT p.csv: would be replaced, as the run writes p.csv; choose another --out"
    )


def test_a_picture_in_an_input_folder_is_not_replaced_by_way_of_a_link(job):
    os.symlink("in/0.png", "p.csv")
    assert refused(job, out="p.csv") == (
        f"INPUT in: would be replaced, as the run writes {job}/in/0.png; choose another --out"
    )


def test_the_labels_beside_an_idx_file_are_not_replaced_by_way_of_a_link(job, few):
    (job / "a-images-idx3-ubyte").write_bytes(idx_bytes(few.images[:3]))
    (job / "a-labels-idx1-ubyte").write_bytes(idx_bytes(few.labels[:3]))
    os.symlink("a-labels-idx1-ubyte", "p.csv")
    assert refused(job, "a-images-idx3-ubyte", out="p.csv").startswith("INPUT a-images-idx3-ubyte: would be replaced")


@pytest.mark.parametrize("by_redirection", [False, True])
def test_the_list_of_names_is_not_replaced(job, by_redirection):
    (job / "list.csv").write_text("in/0.png\n")
    before = listing(job)
    with open("list.csv", "rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "batch_infer", "--files-from", "-" if by_redirection else "list.csv",
             "--out", "list.csv"],
            stdin=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
    name = "-" if by_redirection else "list.csv"
    assert (done.returncode, done.stderr) == (
        2, f"batch-infer: --files-from {name}: would be replaced, as the run writes list.csv; choose another --out\n",
    )  # fmt: skip
    assert listing(job) == before


@pytest.mark.usefixtures("job")
def test_an_output_inside_an_input_folder_is_none_of_its_inputs():
    for _ in range(2):
        assert run_job(["in"], out="in/p.csv", workers=1).tally.rows == 2


def test_a_link_is_written_through_with_the_lock_of_its_target_and_reports_beside_its_own_name(job):
    (job / "store").mkdir()
    os.symlink("store/january.csv", "p.csv")
    for _ in range(2):
        run_job(["in"], out="p.csv", workers=1, incremental=True)
        assert os.readlink("p.csv") == "store/january.csv"
        assert len(read_rows(job / "store" / "january.csv")) == 2
        assert sorted(os.listdir("store")) == ["january.csv", "january.lock", "january.state"]
        assert sorted(os.listdir(".")) == [
            "in",
            "p.csv",
            "p.history.csv",
            "p.report.html",
            "p.run.json",
            "store",
            "x.csv",
        ]
    with locked("store/january.lock"), pytest.raises(LockError):
        run_job(["in"], out="p.csv", workers=1)


def test_a_link_to_one_of_the_runs_own_files_is_wrong_usage(job):
    os.symlink("p.accuracy.csv", "p.csv")
    assert refused(job, out="p.csv") == (
        f"--out p.csv: leads to {job}/p.accuracy.csv, which the run writes itself; choose another --out"
    )


@pytest.mark.parametrize("target", ["in", "fifo", "/dev/null", "fifo-itself"])
def test_what_is_no_file_is_wrong_usage(job, target):
    os.mkfifo("fifo-itself.csv" if target == "fifo-itself" else "fifo")
    out = "fifo-itself.csv"
    if target != "fifo-itself":
        out = "p.csv"
        os.symlink(target, out)
    expected = (
        "is a folder; expected a file name ending in .csv"
        if target == "in"
        else "is a device, pipe or socket; expected a file; for a pipe omit --out"
    )
    assert refused(job, out=out) == f"--out {out}: {expected}"


@pytest.mark.usefixtures("job")
def test_a_link_in_a_circle_is_exit_6():
    os.symlink("p.csv", "p.csv")
    with pytest.raises(OutputError, match=r"p\.csv: cannot be written: Too many levels of symbolic links"):
        run_job(["in"], out="p.csv")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes another user's link")
def test_another_users_link_in_a_folder_for_all_is_not_followed(job):
    (job / "all").mkdir()
    (job / "all").chmod(0o1777)
    (job / "precious.csv").write_text("precious")
    os.symlink(job / "precious.csv", "all/p.csv")
    os.lchown("all/p.csv", 54321, 54321)
    with pytest.raises(OutputError):
        run_job(["in"], out="all/p.csv")
    assert (job / "precious.csv").read_text() == "precious"
    assert os.listdir("all") == ["p.csv"]


@pytest.mark.usefixtures("job")
def test_no_device_is_replaced_by_a_model_or_report():
    os.mkfifo("model.onnx")
    with pytest.raises(OutputError) as caught:
        write_atomically("model.onnx", b"model")
    assert str(caught.value) == "model.onnx: is a device, pipe or socket; expected the name of a file"
    assert sorted(os.listdir(".")) == ["in", "model.onnx", "x.csv"]
