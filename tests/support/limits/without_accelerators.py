"""Run a job as if pyspng and isal were not installed: OUT INPUTS…; prints the exit code."""

import sys

if __name__ == "__main__":
    sys.modules["pyspng"] = sys.modules["isal"] = None  # type: ignore[assignment]  # importing is an ImportError now
    from batch_infer.job.run import run_job

    print(run_job(sys.argv[2:], out=sys.argv[1], labels="none").exit_code)
