"""Run a job on the folder `in`, and unmount that when the first rows are done; prints how the job was refused."""

import subprocess

from batch_infer.errors import InputLostError
from batch_infer.job.run import run_job


def main() -> None:
    """Run and unmount."""
    codes: list[int] = []

    def progress(_done: int, _total: int) -> None:
        if not codes:
            codes.append(subprocess.run(["umount", "--lazy", "in"], check=False).returncode)

    try:
        run_job(["in"], out="p.csv", workers=1, incremental=True, progress=progress)
    except InputLostError as error:
        print(error.exit_code, codes, error)


if __name__ == "__main__":
    main()
