"""Run the command; just before it opens a certain file for the N-th time, that file is changed.

    python -m support.faults.changing_file PATH CHANGE N ARGUMENTS…

Workers count on from where the job was when they started. At the end the job prints how often it had opened the file;
less than zero if it was changed.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from batch_infer.cli.main import main as command


def append(path: str) -> None:
    """Make the file longer."""
    with open(path, "ab") as file:
        file.write(b"more")


def replace_by(make: Callable[[str], None]) -> Callable[[str], None]:
    """Remove the file, then create something else under its name."""

    def change(path: str) -> None:
        os.unlink(path)
        make(path)

    return change


CHANGES: dict[str, Callable[[str], None]] = {
    "grows": append,
    "shrinks": lambda path: os.truncate(path, os.path.getsize(path) - 100),
    "is emptied": lambda path: os.truncate(path, 0),
    "is replaced": lambda path: os.replace(f"{path}.other", path),
    "vanishes": os.unlink,
    "becomes a FIFO": replace_by(os.mkfifo),
    "becomes a folder": replace_by(os.mkdir),
    "becomes a device": replace_by(lambda path: os.symlink("/dev/zero", path)),
}


def main() -> None:
    """Watch the file, and run the command."""
    path, change, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
    del sys.argv[1:4]
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "open" and arguments[:2] == (path, None):  # os.open: with an opener, open() calls that, too
            seen += 1
            if seen == last:
                seen = -1_000  # the change itself may open it, too
                with contextlib.suppress(FileNotFoundError, FileExistsError):  # another worker was faster
                    CHANGES[change](path)

    sys.addaudithook(watch)
    try:
        command()
    finally:
        print(seen)


if __name__ == "__main__":
    main()
