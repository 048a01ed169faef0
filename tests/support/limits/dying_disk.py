"""Run a job; then let the kernel refuse to list folders, or to read exactly SIZE bytes, and run it again.

    python -m support.limits.dying_disk list|SIZE ERROR INPUT [MAX_ERRORS]

Prints the exit code of the second run, the message if it was refused, and whether the predictions are the same.
"""

import sys
from pathlib import Path

from batch_infer.errors import MnistLogisticError
from batch_infer.job.run import run_job
from support.limits import seccomp


def main() -> None:
    """Run, refuse, run again."""
    what, error, source, *rest = sys.argv[1:]
    max_errors = rest[0] if rest else None
    run_job([source], out="p.csv", workers=1)
    before = Path("p.csv").read_bytes()
    out = None if what == "list" else "p.csv"  # the folder of the outputs is listed, too
    if what == "list":
        seccomp.refuse(getdents64=error)
    else:
        seccomp.refuse_reads(int(what), error)
    try:
        print(run_job([source], out=out, workers=1, max_errors=max_errors).exit_code)
    except MnistLogisticError as refusal:
        print(refusal.exit_code, refusal)
    print("the same" if Path("p.csv").read_bytes() == before else "changed")


if __name__ == "__main__":
    main()
