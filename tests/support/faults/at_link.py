"""Run the command; when --sort-into makes a certain one of its symbolic links, a signal arrives.

python -m support.faults.at_link SIGNAL NUMBER ARGUMENTS…
"""

import os
import signal
import sys
from typing import Any

from batch_infer.cli.main import main as command


def main() -> None:
    """Wait for the link, and run the command."""
    name, number = sys.argv.pop(1), int(sys.argv.pop(1))
    seen = 0

    def watch(event: str, _: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "os.symlink":
            seen += 1
            if seen == number:
                os.kill(os.getpid(), getattr(signal, name))

    sys.addaudithook(watch)
    command()


if __name__ == "__main__":
    main()
