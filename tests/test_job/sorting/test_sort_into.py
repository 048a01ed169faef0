"""--sort-into as a part of runs: when it happens, what it refuses, and what the exit code then says."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.helpers import clean_environment, read_rows, save_png
from support.limits import seccomp
from support.sorting import content_of, lay
from support.tiff_files import tiff

from batch_infer import run_job
from batch_infer.errors import LockError, OutputError, UsageError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.outputs.lock import locked

PUBLISHED = "; the predictions are published; the next run completes {}"
needs_seccomp = pytest.mark.skipif(not seccomp.SUPPORTED, reason="needs seccomp")


@pytest.fixture
def scans(pngs, few, tmp_path, monkeypatch):
    """Pictures, an IDX file and a TIFF of two pages, in the working folder."""
    monkeypatch.chdir(tmp_path)
    root = pngs("a.png", "b.png", "x/a.png", folder="scans")
    (root / "broken.png").write_bytes(b"broken")
    (tmp_path / "few.idx").write_bytes(idx_bytes(few.images[3:8]))
    (tmp_path / "two.tif").write_bytes(tiff(*few.images[8:10]))
    return ["scans", "few.idx", "two.tif"]


def expected_folder(row: dict[str, str]) -> str:
    return {"ok": row["prediction"], "low_confidence": "review", "error": "error"}[row["status"]]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_every_row_is_in_the_folder_of_its_prediction(scans, rows, into, shown, suffix):
    found = rows(*scans, out=f"p{suffix}", sort_into="sorted", min_confidence=0.9995)
    assert {row["status"] for row in found} == {"ok", "low_confidence", "error"}
    assert sorted(name.partition("/")[0] for name in shown()) == sorted(map(expected_folder, found))
    for row in found:
        if row["path"].startswith("scans/"):
            folder = into / expected_folder(row)
            assert os.path.realpath(row["path"]) in {os.path.realpath(path) for path in folder.iterdir()}


def test_it_does_not_change_the_predictions_and_works_on_many_cores_and_incrementally(scans, shown, tmp_path):
    run_job(scans, out="plain.csv", workers=1)
    run_job(scans, out="sorted.csv", workers=1, sort_into="sorted")
    first = shown()
    run_job(scans, out="sorted.csv", incremental=True, workers=2, sort_into="sorted")
    run_job(scans, out="sorted.csv", incremental=True, workers=1, sort_into="sorted")
    assert (tmp_path / "plain.csv").read_bytes() == (tmp_path / "sorted.csv").read_bytes()
    assert shown() == first


def test_a_large_job_in_worker_processes_is_sorted_in_order(mnist, into, tmp_path):
    path = tmp_path / "many.idx"
    path.write_bytes(idx_bytes(mnist.images[:5000]))
    run_job([path], out=tmp_path / "p.csv", workers=2, sort_into=into)
    for row in read_rows(tmp_path / "p.csv")[::50]:
        picture = into / expected_folder(row) / f"many.idx-{int(row['index']):06}.png"
        np.testing.assert_array_equal(np.asarray(Image.open(picture)), mnist.images[int(row["index"])])
    assert sum(len(files) for _, _, files in os.walk(into)) == 5000 + len(("about.txt", "list", "lock"))


def test_the_pictures_read_back_as_the_same_pixels_with_the_same_prediction(scans, rows, few, tmp_path):
    (tmp_path / "dark.idx").write_bytes(idx_bytes(255 - few.images[10:14]))
    np.save("large.npy", np.kron(few.images[14:17], np.ones((1, 3, 3), np.uint8)))
    given = [*scans, "dark.idx", "large.npy"]
    found = rows(*given, sort_into="sorted", sort_by="copy")
    again = rows("sorted", labels="none")
    assert len(again) == len(found)
    answers = {os.path.basename(row["path"]): (row["prediction"], row["confidence"]) for row in again}
    for row in found:
        name = os.path.basename(row["path"]) + (f"-{int(row['index']):06}.png" if row["index"] else "")
        if name != "a.png":  # there are two
            assert answers[name] == (row["prediction"], row["confidence"])
    assert all(row["path"].split("/")[1] == (row["prediction"] or "error") for row in again)


def test_transposed_images_lie_upright_in_their_folders(mnist, into, tmp_path):
    path = tmp_path / "few.idx"
    path.write_bytes(idx_bytes(mnist.images[:3].transpose(0, 2, 1).copy()))
    for orientation in ("transposed", "upright"):
        run_job([path], out=tmp_path / "p.csv", workers=1, sort_into=into, orientation=orientation)
    turned = {path.name: np.asarray(Image.open(path)) for path in into.rglob("*.png")}
    np.testing.assert_array_equal(turned["few.idx-000001.png"], mnist.images[1].T)
    run_job([path], out=tmp_path / "p.csv", workers=1, sort_into=into, orientation="transposed")
    upright = {path.name: np.asarray(Image.open(path)) for path in into.rglob("*.png")}
    np.testing.assert_array_equal(upright["few.idx-000001.png"], mnist.images[1])
    assert len(upright) == 3


def test_without_an_output_it_works_too_and_says_what_it_did(scans, run, shown):
    done = run(*scans, "--sort-into", "sorted", "--verbose")
    assert done.code == 3
    assert len(done.stdout.splitlines()) == len(shown()) + 1 == 12
    assert "--sort-into sorted: 10 pictures in 0 to 9, 0 in review, 1 in error\n" in done.stderr


def test_without_a_terminal_a_successful_run_says_nothing(pngs, run, shown):
    pngs("a.png")
    done = run("in", "--out", "p.csv", "--sort-into", "sorted", "--sort-by", "copy")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert list(shown()) == ["7/a.png"]


def test_a_failed_gate_sorts_what_it_publishes(scans, run, shown, into):
    folder = scans[0]
    done = run(folder, "--out", "p.csv", "--sort-into", "sorted", "--max-errors", "0")
    assert done.code == 8
    assert len(shown()) == 4
    shutil.rmtree(into)
    done = run(folder, "--out", "p.csv", "--sort-into", "sorted", "--max-errors", "0", "--on-failed-gate", "keep")
    assert done.code == 8
    assert shown() == {}


def test_nothing_of_it_is_imported_without_the_option(pngs, python):
    pngs("a.png")
    code = "import sys; from batch_infer import run_job; run_job(['in'], out='p.csv'); print(*sys.modules)"
    done = python(code)
    assert done.code == 0
    loaded = done.stdout.split()
    assert not [name for name in loaded if "sort_into" in name or "job.sorting" in name or name == "sqlite3"]


# What is refused


def refused(kind, *inputs, **options) -> str:
    with pytest.raises(kind) as caught:
        run_job(inputs, **{"out": "p.csv", "workers": 1, **options})
    return str(caught.value)


def test_a_folder_that_holds_files_and_is_not_ours_is_refused_before_any_work(scans, into):
    into.mkdir()
    (into / "own.txt").write_text("own")
    assert refused(OutputError, *scans, sort_into="sorted") == (
        "--sort-into sorted: holds files already, and was not made by --sort-into; name a new or an empty folder"
    )
    assert os.listdir(into) == ["own.txt"]
    assert not os.path.exists("p.csv")


def test_an_empty_folder_and_a_link_to_one_are_taken(scans, into, tmp_path):
    (tmp_path / "real").mkdir()
    into.symlink_to("real")
    run_job(scans, out="p.csv", workers=1, sort_into="sorted")
    assert len(content_of(tmp_path / "real")) == 11


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("few.csv", "--sort-into few.csv: is a file; expected a folder"),
        ("", "--sort-into: an empty or impossible name; is a variable not set?"),
        (
            "scans/sorted",
            (
                "--sort-into scans/sorted: lies in the INPUT scans, whose next run would count its pictures twice; "
                "choose a folder beside it"
            ),
        ),
        ("scans", "scans: is also --sort-into scans, which the run changes; choose another folder"),
        ("./scans/", "scans: is also --sort-into ./scans/, which the run changes; choose another folder"),
    ],
)
def test_a_folder_that_does_not_go_with_the_inputs_is_wrong_usage(scans, folder, message):
    shutil.copyfile("few.idx", "few.csv")
    assert refused(UsageError, *scans, sort_into=folder) == message


def test_an_input_or_an_output_in_the_folder_is_wrong_usage(scans):
    run_job(scans, out="p.csv", workers=1, sort_into="sorted", sort_by="copy")
    for given in ("sorted", "sorted/7", "sorted/7/a.png"):
        where = "is also" if given == "sorted" else "lies in"
        message = f"{given}: {where} --sort-into sorted, which the run changes; choose another folder"
        assert refused(UsageError, given, sort_into="sorted", labels="none") == message
    message = "sorted/q.csv: lies in --sort-into sorted; choose another place for one of them"
    assert refused(UsageError, "scans", sort_into="sorted", out="sorted/q.csv") == message
    message = "sorted/7: lies in --sort-into sorted; choose another place for one of them"
    assert refused(UsageError, "scans", sort_into="sorted", report_dir="sorted/7") == message


def test_a_folder_in_none_is_exit_6_and_says_what_to_do(scans):
    assert refused(OutputError, *scans, sort_into="no/where") == (
        "--sort-into no/where: no such folder, nor the one that it is in; "
        "make the folder that it is to be in first: mkdir -p"
    )


def test_a_way_without_a_folder_or_an_unknown_one_is_wrong_usage(scans):
    assert refused(UsageError, *scans, sort_by="copy") == "--sort-by copy: goes with --sort-into DIR"
    assert refused(UsageError, *scans, sort_by="move", sort_into="sorted") == (
        "--sort-by move: expected symlink, hardlink or copy"
    )


@pytest.mark.parametrize("why", [{"labels": "gone.csv"}, {"min_accuracy": 0.5}, {"model": "gone.onnx"}])
def test_a_run_that_is_refused_makes_no_folder(pngs, into, tmp_path, monkeypatch, why):
    monkeypatch.chdir(tmp_path)
    pngs("a.png")
    with pytest.raises(Exception, match=r"gone|label"):
        run_job(["in"], out="p.csv", workers=1, sort_into="sorted", **why)
    assert not into.exists()


def test_two_runs_into_one_folder_exclude_each_other(scans, into):
    lay(["scans"], "- - - -", into)
    with locked(str(into / ".batch-infer-sorted" / "lock")):
        message = refused(LockError, *scans, sort_into="sorted")
    assert message.startswith(f"{into}/.batch-infer-sorted/lock: another run holds it (pid {os.getpid()}, started ")
    assert message.endswith("); wait for it, or choose another --sort-into")
    assert not os.path.exists("p.csv")


# What fails after the publication


def test_a_folder_that_is_in_the_way_is_found_before_the_publication(scans, into):
    lay(["scans"], "- - - -", into)
    (into / "7").rmdir()
    (into / "7").symlink_to("/tmp")
    assert refused(OutputError, *scans, sort_into="sorted") == (
        f"{into}/7: is no folder, and a folder of that name is needed; move it away"
    )
    assert not os.path.exists("p.csv")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_full_disk_is_exit_6_after_the_publication_and_the_next_run_completes_it(pngs, tmp_path):
    """On a real tmpfs of 300 kB in a mount namespace of its own."""
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    pngs(*(f"{number}.png" for number in range(40)))
    rng = np.random.default_rng(0)
    save_png(tmp_path / "in" / "large.png", rng.integers(0, 256, (600, 600)).astype(np.uint8))
    (tmp_path / "small").mkdir()
    job = f"{sys.executable} -m batch_infer in --out p.csv --sort-into small/sorted --sort-by copy; echo code $?"
    script = (
        f"mount -t tmpfs -o size=300k none small && {job}; cat p.run.json; wc -l < p.csv; "
        f"mount -o remount,size=9m small && {job}; find small -name '*.png' | wc -l; ls small/sorted/.batch-*"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=clean_environment(HOME=str(tmp_path)),
    )  # fmt: skip
    first, *middle, rows, second, pictures, about, kept, lock = done.stdout.split("\n")[:-1]
    assert (first, rows, second) == ("code 6", "42", "code 3")
    run_json = json.loads("\n".join(middle))
    assert (run_json["exit_code"], run_json["published"]) == (6, True)
    assert "No space left on device" in run_json["error"]
    assert (pictures, about, kept, lock) == ("41", "about.txt", "list", "lock")
    assert PUBLISHED.format(f"{tmp_path}/small/sorted") in done.stderr


@needs_seccomp
@pytest.mark.parametrize("error", ["EPERM", "EOPNOTSUPP"])
def test_without_symbolic_links_there_are_copies_and_a_notice_once(pngs, run, into, error):
    pngs("a.png", "b.png")
    for expected in (1, 0):
        done = run(
            "in", "--out", "p.csv", "--sort-into", "sorted",
            preexec_fn=lambda: seccomp.refuse(symlink=error, symlinkat=error),
        )  # fmt: skip
        assert done.code == 0
        assert done.stderr.count(" pictures are copied") == expected
    assert (into / "7" / "a.png").is_file()
    assert not (into / "7" / "a.png").is_symlink()
    notice = {"EPERM": "Operation not permitted", "EOPNOTSUPP": "Operation not supported"}[error]
    assert json.loads((into.parent / "p.run.json").read_text())["notices"] == [
        f"--sort-into sorted: no symbolic links there ({notice}); pictures are copied"
    ]


@needs_seccomp
def test_without_any_links_copies_are_made_all_the_same(pngs, run, into):
    pngs("a.png", "b.png")
    (into.parent / "few.idx").write_bytes(idx_bytes(np.zeros((2, 28, 28), np.uint8)))
    for expected in (1, 0):
        done = run(
            "in", "few.idx", "--out", "p.csv", "--sort-into", "sorted", "--sort-by", "hardlink",
            preexec_fn=lambda: seccomp.refuse(link="EPERM", linkat="EPERM", utimensat="EPERM"),
        )  # fmt: skip
        assert done.code == 3
        assert done.stderr.count("no hard links to there (Operation not permitted); pictures are copied") == expected
    assert sorted(path.name for path in into.rglob("*.png")) == [
        "a.png", "b.png", "few.idx-000000.png", "few.idx-000001.png",
    ]  # fmt: skip
    assert not os.path.samefile(into / "7" / "a.png", into.parent / "in" / "a.png")


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no second file system")
def test_hard_links_to_another_disk_are_copies(pngs, tmp_path):
    root = pngs("a.png")
    if os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("it is the same file system")
    far = tmp_path.parent / "unused"
    shutil.rmtree(f"/dev/shm/{tmp_path.name}", ignore_errors=True)
    os.mkdir(f"/dev/shm/{tmp_path.name}")
    try:
        far = tmp_path.__class__(f"/dev/shm/{tmp_path.name}/sorted")
        notice = f"--sort-into {far}: no hard links to there (Invalid cross-device link); pictures are copied"
        for _ in range(2):
            assert lay([root], "3", far, "hardlink") == [notice]
            before = os.lstat(far / "3" / "a.png")
        assert os.lstat(far / "3" / "a.png") == before
        assert (far / "3" / "a.png").read_bytes() == (root / "a.png").read_bytes()
    finally:
        shutil.rmtree(f"/dev/shm/{tmp_path.name}")


@pytest.mark.slow
def test_a_signal_while_it_sorts_ends_it_and_says_that_the_predictions_are_published(program, pngs, run, into, shown):
    pngs(*(f"{number}.png" for number in range(20)))
    done = program("faults.at_link", "SIGTERM", 5, "in", "--out", "p.csv", "--sort-into", "sorted")
    message = f"terminated (SIGTERM){PUBLISHED.format(into)}"
    assert (done.code, done.stderr) == (143, f"batch-infer: {message}\n")
    run_json = json.loads((into.parent / "p.run.json").read_text())
    assert (run_json["exit_code"], run_json["published"]) == (143, True)
    assert 0 < len(shown()) < 20
    assert run("in", "--out", "p.csv", "--sort-into", "sorted").code == 0
    assert len(shown()) == 20
