"""Run a job as the user nobody if we are root, who can list every folder.

    python -m support.limits.as_nobody FOLDER IMAGE

FOLDER holds in/, out/ and model.onnx, readable by the user nobody.
"""

import os
import sys
from pathlib import Path

from batch_infer import run_job

NOBODY = 65534


def main() -> None:
    """Run the job once as ourselves, as late imports may be readable by root only; then as nobody."""
    folder, image = sys.argv[1:]
    run_job([image], out=os.path.join(os.path.dirname(image), "warm.csv"), workers=1)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    out = f"{folder}/out/p.csv"
    summary = run_job([f"{folder}/in"], out=out, model=f"{folder}/model.onnx", workers=1, labels="none")
    print(summary.exit_code, Path(out).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
