"""Run a job of INPUT with three workers; print whether a process was started."""

import sys

from batch_infer import run_job

if __name__ == "__main__":
    run_job(sys.argv[1:], out="p.csv", workers=3)
    print(any(name.startswith("multiprocessing.popen_") for name in sys.modules))  # loaded by the first start
