"""Checks a run of batch-infer; prints nothing if it is recent, succeeded, and belongs to the predictions beside it.

    python scripts/check_preds.py /srv/out/preds.run.json 26

The first argument is the run.json, the second the maximum age in hours. It also catches failures that send no mail: a
machine that was off, a job that never started. It needs only Python; copy it wherever you want.
"""

import datetime as dt
import hashlib
import json
import sys
from pathlib import Path


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: check_preds.py RUN_JSON HOURS")
    run_json, hours = Path(sys.argv[1]), float(sys.argv[2])
    try:
        problem = problem_of(run_json, dt.timedelta(hours=hours))
    except (OSError, ValueError, KeyError) as error:
        problem = str(error)
    if problem:
        sys.exit(f"{run_json}: {problem}")


def problem_of(run_json: Path, greatest_age: dt.timedelta) -> str:
    """Describe in one line what is wrong with a run; empty if nothing is."""
    run = json.loads(run_json.read_text(encoding="utf-8"))
    if run["exit_code"]:
        return f"exit code {run['exit_code']}: {run['error'] or run['gates_failed'] or run['errors']}"
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(run["ended"])
    if age > greatest_age:
        return f"the last run ended {age} ago"
    predictions = run_json.with_name(Path(run["predictions"]).name)
    if hashlib.sha256(predictions.read_bytes()).hexdigest() != run["predictions_sha256"]:
        return f"{predictions.name} is not what the last run published"
    return ""


if __name__ == "__main__":
    main()
