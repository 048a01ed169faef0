"""Run the command where the kernel kills any process that opens a network socket, the job's workers included."""

from batch_infer.cli.main import main as command
from support.limits.seccomp import forbid_network

if __name__ == "__main__":
    forbid_network()
    command()
