"""Let four runs at a time race for the same output; half of the winners are killed while they hold the lock.

    python -m support.faults.lock_races IMAGE RACES

For each race a JSON line: [pid, "won" or the error] of all four, and whatever else they printed.
"""

import json
import os
import signal
import sys
from unittest import mock

import batch_infer.outputs.lock
from batch_infer.errors import LockError
from batch_infer.job.run import run_job
from batch_infer.runtime import import_onnxruntime


def compete(source: str, start: int, report: int, release: int) -> None:
    """Run as one of the four: wait for the start, run, report the outcome."""

    def tell(what: str) -> None:
        os.write(report, b"%s\n" % json.dumps([os.getpid(), what]).encode())

    def hold(*_: int) -> None:
        """Called by the one run that has the lock, in the middle of its work."""
        tell("won")
        os.read(release, 1)

    os.read(start, 1)
    try:
        # On a busy machine the winner may take long to write its name.
        with mock.patch.object(batch_infer.outputs.lock, "_PATIENCE", 60):
            run_job([source], out="p.csv", workers=1, report=False, progress=hold)
    except LockError as error:
        tell(str(error))
    os._exit(0)


def race(source: str, *, kill: bool) -> tuple[list[tuple[int, str]], str]:
    """Run one race → what each reported, and any further output."""
    start, report, release = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            os.close(start[1])
            compete(source, start[0], report[1], release[0])
        children.append(pid)
    os.close(start[0])
    os.close(start[1])  # off they go
    with os.fdopen(report[0]) as lines:
        os.close(report[1])
        told = [json.loads(lines.readline()) for _ in children]
        winner = next(pid for pid, what in told if what == "won")
        if kill:
            os.kill(winner, signal.SIGKILL)
        else:
            os.write(release[1], b"x")
        more = lines.read()
    for pid in children:
        os.waitpid(pid, 0)
    os.close(release[0])
    os.close(release[1])
    return told, more


def main() -> None:
    """Run the races one after another."""
    import_onnxruntime()  # loaded once, before the children are forked
    for number in range(int(sys.argv[2])):
        print(json.dumps(race(sys.argv[1], kill=number % 2 == 0)))


if __name__ == "__main__":
    main()
