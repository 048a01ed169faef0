"""Decode every file of a folder with little memory left: print a line with each result, then the peak in MB.

    python -m support.decode_files FOLDER MEGABYTES

The process may use that many megabytes of address space more than at its start (on Linux).
"""

import resource
import sys
from pathlib import Path

from batch_infer.decoding.decode import decode
from batch_infer.decoding.read import read_file
from batch_infer.errors import ImageError


def main() -> None:
    """Decode each file of a folder under a memory limit, and print the result."""
    folder, megabytes = Path(sys.argv[1]), int(sys.argv[2])
    if sys.platform == "linux":
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + (megabytes << 20),) * 2)
    for path in sorted(folder.iterdir()):
        try:
            grey = decode(read_file(str(path))).grey
            outcome = f"{grey.shape[1]}×{grey.shape[0]}"
        except ImageError as error:
            outcome = f"{error.code}: {error.detail}"
        print(f"{path.name}\t{outcome}")
    print(f"peak\t{peak_megabytes()}")


def peak_megabytes() -> int:
    """The peak memory of this process; on Linux getrusage may report that of the process before exec."""
    if sys.platform == "linux":
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20


main()
