"""No network: the kernel kills whoever opens a socket, native code too."""

import os
import signal

import pytest
from support.limits import seccomp

pytestmark = [
    pytest.mark.slow,  # starts many processes: not for --quick
    pytest.mark.skipif(not seccomp.SUPPORTED, reason="seccomp is for Linux on x86-64 and AArch64"),
]


@pytest.mark.parametrize(("family", "code"), [(1, 0), (2, -signal.SIGSYS), (10, -signal.SIGSYS)])
def test_the_kernel_kills_native_code_that_opens_a_network_socket(program, family, code):
    done = program("limits.native_socket", family)
    assert (done.code, done.stdout) == (code, "" if code else "alive\n")


@pytest.mark.parametrize("out", ["p.csv", "p.parquet"])
def test_no_run_opens_a_network_socket(program, many, tmp_path, out):
    done = program("limits.confined_job", *many, "--out", f"out/{out}", "--workers", 2, "--incremental")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert "p.accuracy.csv" in os.listdir(tmp_path / "out")
