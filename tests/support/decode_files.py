"""Decode every file of a folder with little memory left: a line each with what came of it, then the peak in MB.

    python -m support.decode_files FOLDER MEGABYTES

So many megabytes of address space more than the process has at its start can be taken (on Linux).
"""

import resource
import sys
from pathlib import Path

from batch_infer.decoding.decode import decode
from batch_infer.decoding.png import decode_plain
from batch_infer.decoding.read import read_file
from batch_infer.errors import ImageError


def main() -> None:
    """Decode each file of a folder under a limit on memory, and say what came out."""
    folder, megabytes = Path(sys.argv[1]), int(sys.argv[2])
    if sys.platform == "linux":
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + (megabytes << 20),) * 2)
    for path in sorted(folder.iterdir()):
        try:
            data = read_file(str(path))
            grey = decode_plain(data)
            grey = decode(data).grey if grey is None else grey
            outcome = f"{grey.shape[1]}×{grey.shape[0]}"
        except ImageError as error:
            outcome = f"{error.code}: {error.detail}"
        print(f"{path.name}\t{outcome}")
    print(f"peak\t{peak_megabytes()}")


def peak_megabytes() -> int:
    """The most memory that this process held; on Linux getrusage may tell that of the process before it."""
    if sys.platform == "linux":
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20


main()
