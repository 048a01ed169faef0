"""Kill --sort-into with SIGKILL at moments spread evenly over its work, and let the next run go on.

    python -m support.faults.sort_killer FOLDER WAY KILLS BEFORE AFTER

FOLDER holds the inputs in/, few.idx and scan.tif. BEFORE and AFTER are the folders of the rows in two runs, as
support.sorting takes them; the second one is killed. Every line of output is a JSON object with what is then in the
folder `sorted`, `killed` and `completed` by one more run; the first is that of a run that was not killed.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import batch_infer.job.sorting
from support.sorting import content_of, lay

PACKAGE = os.path.dirname(batch_infer.job.sorting.__file__)
INPUTS = (Path("in"), Path("few.idx"), Path("scan.tif"))
FOREIGN = {"3/mine.png": b"mine", "notes.txt": b"to do", "5/4.png": b"of somebody else"}


class Killer:
    """Kills the process at a line of our code, by number; 0 only counts them."""

    def __init__(self, kill_at: int) -> None:
        self.lines = 0
        self._kill_at = kill_at

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        """Count a line."""
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace


def killed_run(folders: str, way: str, kill_at: int = 0) -> int:
    """Run in a forked child → the number of lines, 0 if it was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        killer = Killer(kill_at)
        sys.settrace(killer.trace)
        lay(INPUTS, folders, Path("sorted"), way)
        sys.settrace(None)
        os.write(writer, str(killer.lines).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        lines = file.read()
    status = os.waitpid(pid, 0)[1]
    if status not in {0, signal.SIGKILL}:
        raise ChildProcessError(status)
    return int(lines or 0)


def shown() -> dict[str, str]:
    """What is in the folder, as text."""
    found = content_of(Path("sorted"))
    return {name: value if isinstance(value, str) else value.hex() for name, value in found.items()}


def restore() -> None:
    """Put the folder back to what the first run left, with foreign files."""
    shutil.rmtree("sorted", ignore_errors=True)
    shutil.copytree("before", "sorted", symlinks=True, copy_function=copy)


def copy(source: str, destination: str) -> None:
    """Copy a file, or make one more hard link to it if there are several."""
    if os.lstat(source).st_nlink > 1:
        os.link(source, destination)
    else:
        shutil.copy2(source, destination, follow_symlinks=False)


def main() -> None:
    """Lay the inputs once; then again and again, killed and completed."""
    os.chdir(sys.argv[1])
    way, kills, before, after = sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
    lay(INPUTS, before, Path("sorted"), way)
    for name, content in FOREIGN.items():
        Path("sorted", name).unlink(missing_ok=True)  # or it would be written through a link
        Path("sorted", name).write_bytes(content)
    os.rename("sorted", "before")
    restore()
    lines = killed_run(after, way)
    print(json.dumps({"completed": shown()}))
    for number in range(kills):
        restore()
        killed_run(after, way, 1 + lines * number // kills)
        left = shown()
        lay(INPUTS, after, Path("sorted"), way)
        print(
            json.dumps({"killed": left, "completed": shown(), "kept": sorted(os.listdir("sorted/.batch-infer-sorted"))})
        )


if __name__ == "__main__":
    main()
