"""Run a job of INPUT with three workers; print whether a process was started."""

import resource
import sys

from batch_infer import run_job

if __name__ == "__main__":
    run_job(sys.argv[1:], out="p.csv", workers=3)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0)  # of a child that was waited for
