"""Folders that take long to make, made once for all processes that share the tests of a session."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first process to come makes; the others wait for it. Nobody may change it afterwards.

    Args:
        factory: of the session's temporary folders.
        name: of the folder.
        make: called with the new folder, in which it makes what belongs there.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # a process has a folder of its own in that of the session
    folder, complete = base / f"once-{name}", base / f"once-{name}.complete"
    with (base / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder
