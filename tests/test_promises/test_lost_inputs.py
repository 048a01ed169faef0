"""A disk that is gone does not erase yesterday: exit 4, nothing published, the state keeps what it learnt."""

import gzip
import json
import os
import shutil
import subprocess
import sys

import pytest
from support.helpers import clean_environment, save_png, support_environment
from support.limits import seccomp

from batch_infer.errors import STAYS, InputLostError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.job.run import run_job

pytestmark = pytest.mark.slow  # starts many processes

# Root without these capabilities is held to mode bits as anybody is.
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
needs_setpriv = pytest.mark.skipif(
    bool(BOUND) and shutil.which("setpriv") is None, reason="root is held to mode bits by setpriv alone (util-linux)"
)


@pytest.fixture
def published(few, tmp_path):
    """A folder of 40 pictures in two sub-folders, and a first run with a state → the bytes of predictions and state."""
    folder = tmp_path / "in"
    shown = [iter(few.images[few.labels == digit]) for digit in range(2)]
    for number in range(40):
        save_png(folder / str(number % 2) / f"{number}.png", next(shown[number % 2]))
    run_job([folder], out=tmp_path / "p.csv", incremental=True, workers=1)
    return folder, {name: (tmp_path / name).read_bytes() for name in ("p.csv", "p.accuracy.csv", "p.state")}


def batch_infer(*arguments, cwd):
    """Run the command as one whom mode bits hold → exit code, stderr."""
    done = subprocess.run(
        [*BOUND, sys.executable, "-m", "batch_infer", *map(os.fspath, arguments)],
        cwd=cwd,
        env=clean_environment(HOME=str(cwd)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def unchanged(tmp_path, before, *names):
    return all((tmp_path / name).read_bytes() == before[name] for name in names or before)


@needs_setpriv
@pytest.mark.parametrize("mode", [0o000, 0o100, 0o200, 0o300])
def test_an_input_folder_that_cannot_be_listed_is_exit_4(published, tmp_path, mode):
    folder, before = published
    folder.chmod(mode)
    try:
        code, stderr = batch_infer("in", "--out", "p.csv", "--incremental", cwd=tmp_path)
    finally:
        folder.chmod(0o755)
    assert (code, stderr) == (4, f"batch-infer: in: the folder cannot be listed: Permission denied; {STAYS}\n")
    assert unchanged(tmp_path, before)
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert (account["exit_code"], account["published"]) == (4, False)


@needs_setpriv
def test_an_input_below_a_folder_that_cannot_be_entered_is_exit_4(published, tmp_path):
    folder, before = published
    (tmp_path / "disk").mkdir()
    folder.rename(tmp_path / "disk" / "in")
    (tmp_path / "disk").chmod(0)
    try:
        code, stderr = batch_infer("disk/in", "--out", "p.csv", cwd=tmp_path)
    finally:
        (tmp_path / "disk").chmod(0o755)
    assert (code, stderr) == (4, f"batch-infer: disk/in: cannot be reached: Permission denied; {STAYS}\n")
    assert unchanged(tmp_path, before)


@needs_setpriv
def test_a_sub_folder_without_permission_and_a_single_file_are_rows_as_ever(published, tmp_path, pngs):
    folder, _ = published
    pngs("x.png", folder="closed")
    (folder / "1").chmod(0)
    (tmp_path / "closed").chmod(0)
    try:
        code, stderr = batch_infer("in", "closed/x.png", "--out", "p.csv", cwd=tmp_path)
    finally:
        (folder / "1").chmod(0o755)
        (tmp_path / "closed").chmod(0o755)
    assert code == 3
    assert "in/1: no_permission (the folder cannot be listed: Permission denied)" in stderr
    assert "closed/x.png: no_permission" in stderr
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 1 + 20 + 1 + 1


def disturbed(folder, tmp_path, disturb, **options):
    """Run the job, and disturb it once, when the first rows are done."""
    calls = []

    def progress(*_):
        if not calls:
            disturb()
        calls.append(1)

    return run_job([folder], out=tmp_path / "p.csv", progress=progress, workers=1, **options)


@pytest.fixture
def many(pngs, tmp_path):
    """2,500 pictures by hard links, and a first run."""
    folder = pngs("0/0.png")
    for number in range(1, 2_500):
        os.link(folder / "0/0.png", folder / f"0/{number}.png")
    run_job([folder], out=tmp_path / "p.csv", workers=1)
    return folder, {name: (tmp_path / name).read_bytes() for name in ("p.csv", "p.accuracy.csv")}


def test_files_that_vanish_in_mid_run_do_not_replace_good_rows(many, tmp_path):
    folder, before = many
    with pytest.raises(InputLostError) as caught:
        disturbed(folder, tmp_path, lambda: shutil.rmtree(folder / "0"), incremental=True)
    assert caught.value.exit_code == 4
    assert "of 2,500 files vanished or could not be read during the run" in str(caught.value)
    assert unchanged(tmp_path, before)


def test_max_errors_that_allows_it_publishes_all_the_same(many, tmp_path):
    folder, _ = many
    summary = disturbed(folder, tmp_path, lambda: shutil.rmtree(folder / "0"), max_errors="100%")
    assert (summary.exit_code, summary.published) == (0, True)
    assert summary.tally.error_rows > 250


def test_max_errors_that_does_not_allow_it_keeps_the_old_rows(many, tmp_path):
    folder, before = many
    with pytest.raises(InputLostError):
        disturbed(folder, tmp_path, lambda: shutil.rmtree(folder / "0"), max_errors="50")
    assert unchanged(tmp_path, before)


def test_few_files_that_vanish_are_rows(many, tmp_path):
    folder, _ = many

    def remove():
        for number in range(2_490, 2_500):
            os.unlink(folder / f"0/{number}.png")

    assert disturbed(folder, tmp_path, remove).exit_code == 3


def test_another_folder_in_the_place_of_the_input_is_exit_4(many, tmp_path):
    folder, before = many

    def swap():
        folder.rename(tmp_path / "moved")
        shutil.copytree(tmp_path / "moved", folder)

    with pytest.raises(InputLostError, match="is not the same folder as at the start of the run"):
        disturbed(folder, tmp_path, swap)
    assert unchanged(tmp_path, before)


def test_an_input_folder_that_went_away_is_exit_4(many, tmp_path):
    folder, before = many
    with pytest.raises(InputLostError, match="the folder disappeared during the run"):
        disturbed(folder, tmp_path, lambda: folder.rename(tmp_path / "moved"), max_errors="100%")
    assert unchanged(tmp_path, before)


needs_seccomp = pytest.mark.skipif(not seccomp.SUPPORTED, reason="seccomp is for Linux on x86-64 and AArch64")


@needs_seccomp
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("EIO", "Input/output error"),
        ("ENOTCONN", "Transport endpoint is not connected"),
        ("ESTALE", "Stale file handle"),
        ("EHOSTDOWN", "Host is down"),
    ],
)
@pytest.mark.usefixtures("published")
def test_a_folder_whose_disk_is_gone_is_exit_4(program, name, words):
    done = program("limits.dying_disk", "list", name, "in")
    assert (done.stdout, done.stderr) == (f"4 in: the folder cannot be listed: {words}; {STAYS}\nthe same\n", "")


@needs_seccomp
def test_a_file_whose_disk_is_gone_is_exit_4(program, published):
    folder, _ = published
    size = (folder / "0" / "8.png").stat().st_size
    done = program("limits.dying_disk", size + 1, "EIO", "in")
    assert done.stdout.startswith("4 in/"), done
    assert f": Input/output error; {STAYS} (if the disk is fine but for a few files: --max-errors N" in done.stdout
    assert done.stdout.endswith("\nthe same\n")


@needs_seccomp
def test_with_max_errors_a_bad_sector_is_a_row(program, published, tmp_path):
    folder, _ = published
    size = (folder / "0" / "8.png").stat().st_size
    same = sum(path.stat().st_size == size for path in folder.glob("*/*.png"))
    done = program("limits.dying_disk", size + 1, "EIO", "in", "10")
    assert done.stdout == "0\nchanged\n", done
    assert (tmp_path / "p.csv").read_text().count('"error","unreadable"') == same


@needs_seccomp
def test_more_bad_sectors_than_max_errors_allows_keep_the_old_rows(program, published):
    folder, _ = published
    size = (folder / "0" / "8.png").stat().st_size
    done = program("limits.dying_disk", size + 1, "EIO", "in", "0")
    assert done.stdout.startswith("4 in/"), done
    assert f" such), and more errors than --max-errors allows; {STAYS}\n" in done.stdout
    assert done.stdout.endswith("\nthe same\n")


@needs_seccomp
def test_an_idx_file_whose_disk_is_gone_is_exit_4(program, shared_files, tmp_path):
    shutil.copy(shared_files / "few.idx", tmp_path / "few.idx")
    done = program("limits.dying_disk", 300 * 784, "EIO", "few.idx")
    assert done.stdout.startswith(f"4 few.idx: cannot be read any more: Input/output error; {STAYS}\n"), done
    assert done.stdout.endswith("\nthe same\n")


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="mounts need root and unshare")
def test_a_disk_unmounted_in_mid_run_is_exit_4(many, tmp_path):
    _, before = many
    script = (
        "mkdir disk && mount -t tmpfs none disk && cp -r in/. disk && "
        "mv in away && mkdir in && mount --move disk in && "
        f"exec {sys.executable} -m support.faults.unmounting"
    )
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        cwd=tmp_path,
        env=support_environment(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    if "permission denied" in done.stderr.lower() or "not permitted" in done.stderr.lower():
        pytest.skip(f"this machine lets nobody mount: {done.stderr.strip()}; the tests above stand for it")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("4 [0] in: is not the same folder as at the start of the run")
    assert unchanged(tmp_path, before)


@pytest.mark.usefixtures("published")
def test_an_empty_input_beside_others_is_a_notice(tmp_path, run):
    (tmp_path / "mnt").mkdir()
    expected = "mnt: no image found in this INPUT; is the disk mounted?"
    first, second = (run("mnt", "in", "--out", "p.csv") for _ in range(2))
    assert (first.code, first.stderr) == (0, f"batch-infer: {expected}\n")
    assert (second.code, second.stderr) == (0, "")
    assert json.loads((tmp_path / "p.run.json").read_text())["notices"] == [expected]


@pytest.mark.parametrize("name", ["x.idx", "x.gz"])
def test_an_idx_file_that_vanishes_in_mid_run_is_exit_4_whatever_max_errors_allows(tmp_path, mnist, name):
    path = tmp_path / name
    content = idx_bytes(mnist.images[:9_000])
    path.write_bytes(gzip.compress(content, 1) if name == "x.gz" else content)
    run_job([path], out=tmp_path / "p.csv", workers=1)
    before = (tmp_path / "p.csv").read_bytes()
    with pytest.raises(InputLostError) as caught:
        disturbed(path, tmp_path, path.unlink, max_errors="100%")
    assert str(caught.value) == f"{path}: cannot be read any more: No such file or directory; {STAYS}"
    assert (tmp_path / "p.csv").read_bytes() == before
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert (account["exit_code"], account["published"], account["error"]) == (4, False, str(caught.value))
