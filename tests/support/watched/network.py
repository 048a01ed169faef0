"""Run the command and print what of the network Python sees it touch.

For where the kernel has no filter (limits/seccomp.py); what native code does is not seen here.
"""

import sys
from socket import AF_UNIX
from typing import Any

from batch_infer.cli.main import main as command

EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "urllib.Request"}


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Print an event of the network."""
    if event in EVENTS or (event == "socket.__new__" and arguments[1] != AF_UNIX):
        print(event, arguments, file=sys.__stdout__)


if __name__ == "__main__":
    sys.addaudithook(watch)
    command()
