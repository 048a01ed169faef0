"""Kill real runs with SIGKILL at chosen moments, and report what each leaves behind.

    python -m support.faults.killer FOLDER POINTS OPTIONS

FOLDER holds images/, out/ and old/ (to which out/ is reset before each run; not for incremental runs, which resume).
POINTS is a JSON object: how many kills `before` the first rename of the publication, `between` the first and the last,
and `after` the last. OPTIONS are run_job's, as JSON. Every line of output is a JSON object: for the run that counted
the moments, for each killed run, and for one more run that is not killed.

Up to the first rename a moment is a line of our code, from then on a single bytecode instruction of it.
"""

import gc
import importlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import batch_infer
from batch_infer.job.run import run_job
from batch_infer.runtime import import_onnxruntime

PACKAGE = os.path.dirname(batch_infer.__file__)
Moment = tuple[int, int]  # number of renames begun, and number of the moment since


class Clock:
    """Counts the moments of a run, and kills it at one of them.

    Attributes:
        moments: number of moments before the first rename, between it and the second, and so on.
    """

    def __init__(self, kill_at: Moment | None, pipe: int) -> None:
        self.moments = [0]
        self._kill_at = kill_at
        self._pipe = pipe

    def start(self) -> None:
        """Start counting moments."""
        sys.addaudithook(self._hear)
        sys._getframe().f_trace_opcodes = True  # noqa: SLF001 - Python 3.12 needs one such frame before it starts
        sys.settrace(self._trace)

    def _hear(self, event: str, _: tuple[Any, ...]) -> None:
        if event == "os.rename":  # raised just before the system call
            os.write(self._pipe, b"rename\n")
            self.moments.append(0)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        publishing = len(self.moments) > 1
        frame.f_trace_opcodes = publishing
        if event == ("opcode" if publishing else "line"):
            self.moments[-1] += 1
            if self._kill_at is not None and (len(self.moments) - 1, self.moments[-1]) >= self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._trace


def run(options: dict[str, Any], kill_at: Moment | None = None) -> tuple[dict[str, Any], list[int]]:
    """Run the job in a forked child → what it left, and its moments if it finished."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        clock = Clock(kill_at, writer)
        clock.start()
        run_job(["images"], out="out/preds.csv", workers=1, **options)
        sys.settrace(None)
        os.write(writer, json.dumps(clock.moments).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        *renames, moments = file.read().split("\n")
    status = os.waitpid(pid, 0)[1]
    names = sorted(os.listdir("out"))
    shown = [name for name in names if name.startswith("preds.") and name != "preds.state"]
    files = {name: Path("out", name).read_bytes().decode("latin-1") for name in shown}
    found = {"status": status, "renames": len(renames), "names": names, "files": files}
    return found, json.loads(moments) if moments else []


def moments_to_kill_at(moments: list[int], points: dict[str, int]) -> list[Moment]:
    """Spread the points evenly over the moments of each stretch."""
    last = len(moments) - 1
    chosen = []
    for name, stretch in (("before", [0]), ("between", list(range(1, last))), ("after", [last])):
        all_of_it = [(renames, number) for renames in stretch for number in range(1, moments[renames] + 1)]
        count = points[name]
        if len(all_of_it) < count:
            raise ValueError(f"{len(all_of_it)} moments {name}, too few for {count} kills")
        chosen += [all_of_it[len(all_of_it) * point // count] for point in range(count)]
    return chosen


def restore() -> None:
    """Put out/ back to what it was."""
    shutil.rmtree("out")
    shutil.copytree("old", "out")


def main() -> None:
    """Run once to count, then with kills, then once more."""
    folder, points, options = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
    for library in ("pandas", "pyarrow.csv"):  # load what the children need once, before they are forked
        importlib.import_module(library)
    import_onnxruntime()
    gc.collect()
    os.chdir(folder)
    restore()
    whole, moments = run(options)
    print(json.dumps(whole))
    restore()
    for moment in moments_to_kill_at(moments, points):
        if not options.get("incremental"):
            restore()
        killed, _ = run(options, moment)
        print(json.dumps(killed))
    last, _ = run(options)
    print(json.dumps(last))


if __name__ == "__main__":
    main()
