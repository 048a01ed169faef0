"""Run the command; just before one of its files is renamed into place, something happens.

    python -m support.faults.at_rename ACTION NUMBER ARGUMENTS…

At rename NUMBER, from 1 (0: at each): `names` prints the name, `bug` raises an exception, `descriptors` writes to the
file `seen` where 0, 1 and 2 lead, and the name of a signal sends it to this process.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batch_infer.cli.main import main as command


def print_name(destination: str) -> None:
    """Print the name that a file is about to get."""
    print(os.path.basename(destination))


def fail(_: str) -> None:
    """Simulate a bug: raise what no code expects here."""
    raise ZeroDivisionError("a bug")


def write_descriptors(_: str) -> None:
    """Write down where the standard descriptors lead; there may be no stream to print it to."""
    links = {number: os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)}
    Path("seen").write_text(repr(links), encoding="utf-8")


def send(name: str) -> Callable[[str], None]:
    """Make the action that sends a signal."""
    return lambda _: os.kill(os.getpid(), getattr(signal, name))


ACTIONS = {"names": print_name, "bug": fail, "descriptors": write_descriptors}


def main() -> None:
    """Wait for the rename, and run the command."""
    name, number = sys.argv.pop(1), int(sys.argv.pop(1))
    action = ACTIONS[name] if name in ACTIONS else send(name)
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "os.rename":
            seen += 1
            if number in {0, seen}:
                action(arguments[1])

    sys.addaudithook(watch)
    command()


if __name__ == "__main__":
    main()
