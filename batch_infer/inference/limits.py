"""System limits: those that a worker sets for itself, and messages for those that others have set."""

import contextlib
import errno
import os
import resource
import sys
from typing import Final

WORKER_MEMORY: Final = 1 << 30  # bytes beyond what it starts with; workers have been seen to take at most 0.4 GB
# Below these the libraries end the process with messages of their own, crash it, or fail as if the model were bad.
_MINIMA: Final = ((resource.RLIMIT_AS, "-v", 192 << 20), (resource.RLIMIT_DATA, "-d", 144 << 20))
_NO_MEMORY: Final = ("bad_alloc", "cannot allocate", "failed to map", "out of memory", "bad allocation")
_NO_THREAD: Final = ("can't start new thread", "resource temporarily unavailable", "thread creation failed")


def limit_worker() -> None:
    """Bound this process's memory, so that one file cannot use up the machine's, and disable core files.

    A lower limit stays as it is. Only on Linux does RLIMIT_DATA count all allocated memory, heap and mappings. A forked
    worker has much of that from the start; only what it adds is limited.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm", encoding="ascii") as file:
            data_pages = int(file.read().split()[5])
        limit = data_pages * resource.getpagesize() + WORKER_MEMORY
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        for lower in (soft, hard):
            limit = limit if lower == resource.RLIM_INFINITY else min(limit, lower)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def require_address_space() -> None:
    """Check that there is room for the libraries: some of them end the process with their own message if not.

    Raises:
        MemoryError: there is none.
    """
    for limit, _, least in _MINIMA:
        if 0 <= resource.getrlimit(limit)[0] < least:  # negative where it is unlimited
            raise MemoryError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory could not be allocated."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return _says(error, _NO_MEMORY)


def describe_shortage(error: BaseException | None) -> str | None:
    """Describe which system limit stopped a program, and what to type; None if the error means something else."""
    seen = 0
    while error is not None and seen < 20:
        reason = _describe(error)
        if reason is not None:
            return reason
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None


def working_folder_is_gone() -> bool:
    """Whether the folder that relative names start from was deleted."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _describe(error: BaseException) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.EMFILE, errno.ENFILE}:
        return f"too many open files (ulimit -n is {_shown(resource.RLIMIT_NOFILE)}); type: ulimit -n 256"
    if is_out_of_memory(error):
        for kind, option, _ in _MINIMA:
            soft, hard = resource.getrlimit(kind)
            own = kind == resource.RLIMIT_DATA and soft != hard  # set by limit_worker, not by the user
            if soft != resource.RLIM_INFINITY and not own:
                return f"not enough memory (ulimit {option} is {soft >> 10}); type: ulimit {option} unlimited"
        return "not enough memory; end other programs, or try fewer --workers"
    if number == errno.EAGAIN or (isinstance(error, RuntimeError) and _says(error, _NO_THREAD)):
        limit = _shown(resource.RLIMIT_NPROC)
        return f"no more processes or threads may be started (ulimit -u is {limit}); type: ulimit -u 256"
    if number == errno.ENOENT and working_folder_is_gone():
        return "the working folder was deleted; go to another one: cd"
    return None


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)


def _shown(limit: int) -> str:
    soft = resource.getrlimit(limit)[0]
    return "unlimited" if soft == resource.RLIM_INFINITY else str(soft)
