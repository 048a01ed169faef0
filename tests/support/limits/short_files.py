"""Run the export where no file may grow beyond a thousand bytes, as on a full disk."""

import resource
import signal

import export.job  # noqa: F401 - import and cache everything before the limit applies
from export.cli import main as command

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    command()
