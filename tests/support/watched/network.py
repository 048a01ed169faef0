"""Run the command and print every network operation that Python sees.

For systems whose kernel has no filter (limits/seccomp.py); operations of native code are not seen here.
"""

import sys
from socket import AF_UNIX
from typing import Any

from batch_infer.cli.main import main as command

EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "urllib.Request"}


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Print a network event."""
    if event in EVENTS or (event == "socket.__new__" and arguments[1] != AF_UNIX):
        print(event, arguments, file=sys.__stdout__)


if __name__ == "__main__":
    sys.addaudithook(watch)
    command()
