"""Where a file system refuses mode bits, owner, attributes, fsync of a folder or locks, the run goes on.

CIFS, FAT, WSL, vboxsf, FUSE and NFS without locks refuse them; here the kernel does, in the command's own process.
"""

import json
import os
import subprocess
import sys

import pytest
from support.helpers import read_rows, save_png
from support.limits import seccomp

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not seccomp.SUPPORTED, reason="needs seccomp")]


@pytest.fixture
def job(tmp_path, few):
    """A folder with two pictures, and an older output with reports."""
    for number in range(2):
        save_png(tmp_path / "in" / str(few.labels[number]) / f"{number}.png", few.images[number])
    (tmp_path / "p.csv").write_text("old\n")
    return tmp_path


@pytest.mark.parametrize(
    "errors",
    [
        {"fchmod": "EPERM", "fchown": "EPERM", "fsetxattr": "EOPNOTSUPP"},
        {"fchmod": "ENOSYS"},
        {"fsync": "EINVAL"},
        {"fsync": "EPERM"},
        {"fsync": "ENOSYS"},
    ],
    ids=str,
)
def test_the_run_goes_on_without(job, run, errors):
    done = run("in", "--out", "p.csv", preexec_fn=lambda: seccomp.refuse(**errors))
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert len(read_rows(job / "p.csv")) == 2
    assert json.loads((job / "p.run.json").read_text())["notices"] == []


@pytest.mark.parametrize("error", ["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def test_without_locks_there_is_a_notice_and_nothing_of_a_run_beside_is_removed(job, run, error):
    (job / ".batch-infer-p.csv-abcdefgh.tmp").touch()  # perhaps another run is writing it
    done = run("in", "--out", "p.csv", preexec_fn=lambda: seccomp.refuse(flock=error))
    assert (done.code, done.stdout) == (0, "")
    assert len(read_rows(job / "p.csv")) == 2
    code = {"ENOLCK": "No locks available", "EOPNOTSUPP": "Operation not supported"}
    assert json.loads((job / "p.run.json").read_text())["notices"] == [
        (
            f"p.lock: no lock on this file system ({code.get(error, 'Function not implemented')}); "
            "make sure that no two runs write the same --out at once"
        )
    ]
    assert (job / "p.lock").read_bytes() == b""
    assert (job / ".batch-infer-p.csv-abcdefgh.tmp").exists()


def test_a_failing_disk_is_no_refused_courtesy(job, run):
    done = run("in", "--out", "p.csv", preexec_fn=lambda: seccomp.refuse(fsync="EIO"))
    assert done.code == 6
    assert done.stderr.endswith(": cannot be written: Input/output error; what was there stays\n")
    assert (job / "p.csv").read_text() == "old\n"


def test_a_lock_that_fails_for_another_reason_is_exit_6(job, run):
    done = run("in", "--out", "p.csv", preexec_fn=lambda: seccomp.refuse(flock="EIO"))
    assert (done.code, done.stderr) == (6, "batch-infer: p.lock: cannot be locked: Input/output error\n")
    assert (job / "p.csv").read_text() == "old\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_file_system_mounted_just_now_is_written_as_any(job):
    """On a real tmpfs in a mount namespace of its own, with a real lock."""
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    (job / "out").mkdir()
    script = (
        f"mount -t tmpfs none {job}/out && {{ "
        f"{sys.executable} -m batch_infer in --out out/p.csv && ls out && cat out/p.csv; }}"
    )
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=job, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:5] == [
        "p.accuracy.csv", "p.confusion.csv", "p.csv", "p.history.csv", "p.lock",
    ]  # fmt: skip


def test_a_folder_that_may_be_written_and_not_listed_is_written(common, as_user):
    """Neither the orphans of killed runs can be looked for nor the folder brought to the disk: both are courtesies."""
    (common / "box").mkdir()
    (common / "box").chmod(0o333)
    done = as_user(common / "in", "--out", common / "box" / "p.csv")
    assert (done.code, done.stderr) == (0, "")
    assert len(read_rows(common / "box" / "p.csv")) == 2
