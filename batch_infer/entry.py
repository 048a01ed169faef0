"""What comes before a command's other imports: the system is one that it runs on, and no file beside is a library."""

import os
import sys


def require_supported_system(name: str) -> None:
    """End the process with one line where the system is neither Linux nor macOS.

    Args:
        name: of the command.
    """
    if not supported():
        sys.exit(f"{name}: {UNSUPPORTED}")


def supported() -> bool:
    """Whether the system has what locks and limits need."""
    try:
        import fcntl  # noqa: F401
        import resource  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


UNSUPPORTED = f"runs on Linux and macOS, not on {sys.platform}; on Windows, install it inside WSL (type: wsl --install)"


def leave_working_folder(package: str) -> None:
    """Take the working folder out of the places that modules are imported from.

    `python -m` puts it first: a `train.py`, `onnx.py` or `random.py` of somebody else's would be run in place of ours,
    a library's or Python's.

    Args:
        package: file of a module of the package that was started; where that itself lies in the working folder, nothing
            is changed.
    """
    try:
        folder = os.getcwd()
    except OSError:  # deleted: nothing can be imported from there
        return
    home = os.path.dirname(os.path.dirname(os.path.realpath(package)))
    if not sys.flags.safe_path and sys.path and sys.path[0] == folder and os.path.realpath(folder) != home:
        del sys.path[0]
