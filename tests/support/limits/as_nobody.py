"""Run a job as the user nobody, if this is root, who may list every folder.

    python -m support.limits.as_nobody FOLDER IMAGE

FOLDER holds in/, out/ and model.onnx, which nobody may read.
"""

import os
import sys
from pathlib import Path

from batch_infer import run_job

NOBODY = 65534


def main() -> None:
    """Run the job once as who we are, as what it imports late may be root's; then as nobody."""
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
