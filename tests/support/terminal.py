"""The command at a terminal: standard output and error, or only one of them, are a pseudo-terminal."""

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from support.helpers import clean_environment

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def at_a_terminal(*arguments: object, cwd: Path, streams: str = "stdout stderr", **environment: str) -> tuple[int, str]:
    """Run the command → exit code, and what was shown, of both streams, without colors.

    Args:
        arguments: of batch-infer.
        cwd: the working folder.
        streams: which are the terminal; what the other one got follows.
        environment: further variables.
    """
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "batch_infer", *map(str, arguments)]
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        stdout=theirs if "stdout" in streams else subprocess.PIPE,
        stderr=theirs if "stderr" in streams else subprocess.PIPE,
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as terminal:  # EIO stands for its end
            while block := terminal.read(4096):
                shown += block
        rest = b"".join(stream or b"" for stream in process.communicate())
    return process.returncode, CONTROL.sub("", (shown + rest).decode("utf-8", "replace").replace("\r\n", "\n"))
