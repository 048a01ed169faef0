"""Run the command and check that it started no process; then print "no child"."""

import os
import resource

from batch_infer.cli.main import main as command


def check() -> None:
    """Check that there was no child: a finished one would have left a memory peak, others could be waited for now."""
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss:
        raise RuntimeError("a child was waited for")
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("no child")


if __name__ == "__main__":
    try:
        command()
    finally:
        check()
