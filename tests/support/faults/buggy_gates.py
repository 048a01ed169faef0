"""Run the command with a bug in its gates."""

from unittest import mock

import batch_infer.job.gates
from batch_infer.cli.main import main as command


def fail(*_: object) -> int:
    """Raise what no code expects here."""
    return 1 // 0


if __name__ == "__main__":
    with mock.patch.object(batch_infer.job.gates.Gates, "check", fail):
        command()
