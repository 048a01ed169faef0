"""What cannot be replaced is found before the first report is published."""

import contextlib
import fcntl
import os
import struct
import subprocess
import sys

import pytest
from support.helpers import save_png

from batch_infer.errors import OutputError
from batch_infer.job.run import run_job

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts, makes files immutable, becomes others"
)

_SET_FLAGS, _IMMUTABLE, _APPEND_ONLY = 0x40086602, 0x10, 0x20  # of <linux/fs.h>


@pytest.fixture
def job(tmp_path, few):
    """A labelled picture: there will be reports."""
    save_png(tmp_path / "in" / "7" / "0.png", few.images[0])
    (tmp_path / "out").mkdir()
    return tmp_path


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["p.csv", "p.mistakes.csv", "a b\t.csv"])
def test_a_single_file_that_is_a_mount_of_its_own(job, name):
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    out = job / "out" / name.replace(".mistakes", "")
    (job / "source").touch()
    (job / "out" / name).touch()
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = [sys.executable, "-m", "batch_infer", "in", "--out", out]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", job / "source", job / "out" / name, *command],
        cwd=job, capture_output=True, text=True, check=False,
    )  # fmt: skip
    shown = str(job / "out" / name).replace("\t", "%09")
    assert (done.returncode, done.stdout, done.stderr) == (
        6,
        "",
        f"batch-infer: {shown}: is mounted as a single file, which cannot be replaced; mount its folder instead\n",
    )
    assert content(job / "out") == {name: b""}


@contextlib.contextmanager
def flagged(path, flag):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flag))
        except OSError:
            pytest.skip("this file system has no such flags")
        yield
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", 0))
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", ["p.csv", "p.accuracy.csv"])
@pytest.mark.parametrize("flag", [_IMMUTABLE, _APPEND_ONLY])
def test_an_immutable_file(job, name, flag):
    (job / "out" / name).touch()
    with flagged(job / "out" / name, flag), pytest.raises(OutputError) as caught:
        run_job([job / "in"], out=job / "out" / "p.csv")
    assert str(caught.value).startswith(f"{job}/out/{name}: cannot be replaced: Operation not permitted (")
    assert content(job / "out") == {name: b""}


@pytest.mark.parametrize("name", ["p.csv", "p.run.json"])
def test_another_users_file_in_a_sticky_folder(job, name):
    (job / "out" / name).touch()
    (job / "out").chmod(0o1777)
    pid = os.fork()
    if not pid:
        code = 1
        with contextlib.suppress(BaseException):
            os.chdir(job / "out")  # the folders above are pytest's own
            os.setuid(54321)
            try:
                run_job(["nothing"], out="p.csv", model="nothing")
            except OutputError as error:
                code = 0 if "in a sticky folder" in str(error) else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert content(job / "out") == {name: b""}


def test_ones_own_file_in_a_sticky_folder_is_replaced(job):
    (job / "out" / "p.csv").touch()
    (job / "out").chmod(0o1777)
    run_job([job / "in"], out=job / "out" / "p.csv")
    assert (job / "out" / "p.csv").read_bytes()
