"""Let the kernel kill this process, and all that it starts, when one opens a network socket.

Seen by the kernel (seccomp; no rights are needed), so native code cannot do it unseen, as it could past Python's audit
hooks.
"""

import ctypes
import platform
import struct
import sys

_NUMBERS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # AUDIT_ARCH_…, the number of socket()
SUPPORTED = sys.platform == "linux" and platform.machine() in _NUMBERS
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL, _ALLOW = 0x80000000, 0x7FFF0000
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_INET, _INET6 = 2, 10


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def forbid_network() -> None:
    """From now on socket(AF_INET, …) and socket(AF_INET6, …) are deadly (SIGSYS)."""
    arch, socket = _NUMBERS[platform.machine()]
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (_LOAD, 0, 0, 4),
            (_EQUAL, 0, 5, arch),  # a call as another architecture has it: killed
            (_LOAD, 0, 0, 0),
            (_EQUAL, 0, 4, socket),
            (_LOAD, 0, 0, 16),
            (_EQUAL, 1, 0, _INET),
            (_EQUAL, 0, 1, _INET6),
            (_RETURN, 0, 0, _KILL),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    buffer = ctypes.create_string_buffer(program)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _SET_SECCOMP, _FILTER, ctypes.byref(_Program(len(program) // 8, ctypes.addressof(buffer))), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")
