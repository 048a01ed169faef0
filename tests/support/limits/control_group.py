"""Join a control group, by the path of its cgroup.procs, and print how many cores may be used there."""

import os
import sys
from pathlib import Path

from batch_infer.inference.cpu_count import usable_cpus

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(str(os.getpid()), encoding="ascii")
    print(usable_cpus())
