"""No network: the kernel kills whoever opens a socket, Python is listened to, strace looks on."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from support.helpers import (
    DEADLINE,
    clean_environment,
)
from support.limits import seccomp

pytestmark = pytest.mark.slow  # starts many processes: not for --quick

confined = pytest.mark.skipif(not seccomp.SUPPORTED, reason="seccomp is for Linux on x86-64 and AArch64")


@confined
@pytest.mark.parametrize(("family", "code"), [(1, 0), (2, -signal.SIGSYS), (10, -signal.SIGSYS)])
def test_the_kernel_kills_native_code_that_opens_a_network_socket(program, family, code):
    done = program("limits.native_socket", family)
    assert (done.code, done.stdout) == (code, "" if code else "alive\n")


@confined
@pytest.mark.parametrize("out", ["p.csv", "p.parquet"])
def test_no_run_opens_a_network_socket(program, many, tmp_path, out):
    done = program("limits.confined_job", *many, "--out", f"out/{out}", "--workers", 2, "--incremental")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert "p.accuracy.csv" in os.listdir(tmp_path / "out")


def test_python_opens_no_network_socket(program, many):
    done = program("watched.network", *many, "--out", "out/p.csv", "--workers", 1)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="strace is not installed; seccomp and the audit hook above look for sockets without it",
)
def test_strace_sees_no_network_socket_and_no_file_written_elsewhere(many, tmp_path):
    trace = tmp_path / "trace"
    command = [sys.executable, "-m", "batch_infer", *many, "--out", tmp_path / "out" / "p.csv", "--workers", "2"]
    calls = "trace=socket,connect,bind,sendto,open,openat,creat,mkdir,mkdirat,rename,renameat,unlink,unlinkat"
    done = subprocess.run(
        ["strace", "-f", "-o", trace, "-e", calls, *command, "--incremental"],
        env=clean_environment(HOME=str(tmp_path)), cwd="/", capture_output=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    if b"ptrace" in done.stderr or not trace.exists():
        pytest.skip(
            f"a container may forbid tracing; seccomp and the audit hook above need none: {done.stderr.decode()[-200:]}"
        )
    assert (done.returncode, done.stderr) == (0, b"")
    lines = trace.read_text(errors="replace").splitlines()
    assert len(lines) > 500
    assert not [line for line in lines if "AF_INET" in line or "connect(" in line or "sendto(" in line]
    changing = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|creat\(|mkdir|rename|unlink")
    places = [re.findall('"(.*?)"', line) for line in lines if changing.search(line) and "ENOENT" not in line]
    written = {os.path.dirname(place) for names in places for place in names if place != "/dev/null"}
    assert written <= {str(tmp_path / "out"), str(tmp_path)}  # the parent: where O_TMPFILE names a folder
    assert {name for names in places for name in names if os.path.dirname(name) == str(tmp_path)} <= {
        str(tmp_path / "out")
    }
