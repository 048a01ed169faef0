"""Run a command → a JSON line of its exit code, stdout, stderr and peak memory in MB."""

import json
import resource
import subprocess
import sys

UNIT = 1 << 20 if sys.platform == "darwin" else 1 << 10  # of ru_maxrss: bytes there, KB elsewhere

if __name__ == "__main__":
    done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=False)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest of its processes
    print(json.dumps([done.returncode, done.stdout, done.stderr, peak / UNIT]))
