"""A pytest plugin, `-p support.macos`: tests are collected as on macOS, where Python lacks what is specific to Linux.

Third-party libraries are loaded before, as they are those of this machine. What is not part of Python (the system's
programs and file systems) is not simulated.
"""

import fcntl
import importlib
import os
import resource
import select
import signal
import socket
import sys
from types import ModuleType
from typing import Any

import pytest

LIBRARIES = (
    "IPython", "hypothesis.extra.numpy", "ipykernel", "matplotlib.pyplot", "nbclient", "nbformat", "onnx",
    "onnxruntime", "onnxscript", "pandas", "pyarrow.csv", "pyarrow.parquet", "torch", "torchvision", "typer",
    "PIL.Image",
)  # fmt: skip
LINUX_ALONE: dict[ModuleType, tuple[str, ...]] = {
    os: (
        "CLONE_NEWNS", "O_DIRECT", "O_LARGEFILE", "O_NOATIME", "O_PATH", "O_TMPFILE", "copy_file_range", "eventfd",
        "fdatasync", "getrandom", "getresuid", "getxattr", "listxattr", "memfd_create", "pidfd_open", "pipe2",
        "posix_fadvise", "posix_fallocate", "removexattr", "sched_getaffinity", "sched_getscheduler",
        "sched_setaffinity", "setresuid", "setxattr", "splice", "unshare",
    ),
    fcntl: ("F_ADD_SEALS", "F_GETPIPE_SZ", "F_NOTIFY", "F_SETPIPE_SZ"),
    resource: ("RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_SIGPENDING", "RUSAGE_THREAD", "prlimit"),
    select: ("epoll", "EPOLLIN"),
    signal: (
        "SIGCLD", "SIGPOLL", "SIGPWR", "SIGRTMAX", "SIGRTMIN", "SIGSTKFLT", "pidfd_send_signal", "sigtimedwait",
        "sigwaitinfo",
    ),
    socket: ("AF_ALG", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "SO_BINDTODEVICE", "SOCK_CLOEXEC", "SOCK_NONBLOCK"),
}  # fmt: skip


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to open or list anything in /proc and /sys, and to look up prctl in the C library."""
    if sys.platform != "darwin":
        return
    if event in {"open", "os.listdir", "os.scandir"}:
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
        if path.startswith(("/proc", "/sys")):
            raise FileNotFoundError(2, "No such file or directory", path)
    if event == "ctypes.dlsym" and arguments[1] in {"prctl", "unshare", "seccomp"}:
        raise AttributeError(arguments[1])


def pytest_collection(session: pytest.Session) -> None:
    """Become macOS just before the tests are collected."""
    if not session.config.option.collectonly:
        raise pytest.UsageError("support.macos: for --collect-only alone")
    for name in LIBRARIES:
        importlib.import_module(name)
    for module, names in LINUX_ALONE.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    sys.addaudithook(refuse)
    sys.platform = "darwin"
