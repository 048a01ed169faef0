"""Run commands as a normal user, to whom the kernel refuses processes beyond RLIMIT_NPROC (never to root)."""

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.helpers import DEADLINE, Finished, argument

UID = 54_321  # an unused id, so that no other processes count
POSSIBLE = os.name == "posix" and os.geteuid() == 0 and shutil.which("setpriv") is not None
_READING = "-all,+dac_read_search"  # the interpreter may be in root's home; writing stays restricted


def run_as_normal_user(
    command: Sequence[object], *, cwd: Path, env: dict[str, str], limits: dict[int, int]
) -> Finished:
    """Run a command with limits (`resource.RLIMIT_…` to value), in a folder that then belongs to the user."""
    os.chown(cwd, UID, UID)

    def set_limits() -> None:
        for limit, value in limits.items():
            resource.setrlimit(limit, (value, value))

    done = subprocess.run(
        ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", f"--inh-caps={_READING}",
         f"--ambient-caps={_READING}", f"--bounding-set={_READING}", *map(argument, command)],
        preexec_fn=set_limits, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())
