"""Run a command, and write to a file what it took: exit code, peak of memory in MB, seconds of CPU time.

    python -IS measured.py REPORT COMMAND…

In a small process of its own: a process begins with the peak of the one that started it.
"""

import json
import os
import sys

if __name__ == "__main__":
    _, report, *command = sys.argv
    _, status, usage = os.wait4(os.posix_spawn(command[0], command, os.environ), 0)
    memory = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)  # of the largest of its processes
    with open(report, "w", encoding="ascii") as file:
        json.dump([os.waitstatus_to_exitcode(status), memory, usage.ru_utime + usage.ru_stime], file)
