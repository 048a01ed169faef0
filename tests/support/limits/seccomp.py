"""Let the kernel kill this process and its children if they open a network socket; or refuse them other calls.

The kernel checks (seccomp; no privileges are needed), so native code cannot bypass it, unlike Python's audit hooks.
"""

import ctypes
import errno
import platform
import struct
import sys

_NUMBERS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # AUDIT_ARCH_…, the number of socket()
SUPPORTED = sys.platform == "linux" and platform.machine() in _NUMBERS
_CALLS = {
    "fchmod": (91, 52),
    "fchown": (93, 55),
    "flock": (73, 32),
    "fsetxattr": (190, 7),
    "fsync": (74, 82),
    "getdents64": (217, 61),
    "link": (86, 37),
    "linkat": (265, 37),
    "read": (0, 63),
    "symlink": (88, 36),
    "symlinkat": (266, 36),
    "utimensat": (280, 88),
}
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_INET, _INET6 = 2, 10


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def forbid_network() -> None:
    """From now on socket(AF_INET, …) and socket(AF_INET6, …) are deadly (SIGSYS)."""
    arch, socket = _NUMBERS[platform.machine()]
    _install(
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 5, arch),  # a system call of another architecture: killed
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 4, socket),
        (_LOAD, 0, 0, 16),
        (_EQUAL, 1, 0, _INET),
        (_EQUAL, 0, 1, _INET6),
        (_RETURN, 0, 0, _KILL),
        (_RETURN, 0, 0, _ALLOW),
    )


def refuse(**errors: str) -> None:
    """From now on each named call fails with the named error, such as `fsync="EINVAL"`, as on some file systems."""
    arch, column = _NUMBERS[platform.machine()][0], list(_NUMBERS).index(platform.machine())
    rules = [
        rule
        for call, name in errors.items()
        for rule in ((_EQUAL, 0, 1, _CALLS[call][column]), (_RETURN, 0, 0, _ERRNO | getattr(errno, name)))
    ]
    _install(
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        *rules,
        (_RETURN, 0, 0, _ALLOW),
    )


def refuse_reads(size: int, error: str) -> None:
    """From now on reading exactly that many bytes at once fails with the named error, as on a disk that dies."""
    arch, column = _NUMBERS[platform.machine()][0], list(_NUMBERS).index(platform.machine())
    _install(
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 3, _CALLS["read"][column]),
        (_LOAD, 0, 0, 32),  # the third argument
        (_EQUAL, 0, 1, size),
        (_RETURN, 0, 0, _ERRNO | getattr(errno, error)),
        (_RETURN, 0, 0, _ALLOW),
    )


def _install(*instructions: tuple[int, int, int, int]) -> None:
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(program)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _SET_SECCOMP, _FILTER, ctypes.byref(_Program(len(program) // 8, ctypes.addressof(buffer))), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel does not accept the filter")
