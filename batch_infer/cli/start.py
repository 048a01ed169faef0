"""The first thing a command runs: makes Ctrl-C one line and exit 130 even while the libraries are being loaded.

Imports little, so that the unprotected moment before it is short.
"""

import contextlib
import functools
import importlib
import os
import signal

INTERRUPTED = "interrupted (SIGINT); the old output is untouched"


def start(name: str, module: str) -> None:
    """Load a command's module and call its `main`.

    Args:
        name: name of the command, for the line on stderr.
        module: such as `batch_infer.cli.main`.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # otherwise it is ignored, as under nohup
        signal.signal(signal.SIGINT, functools.partial(exit_interrupted, name))
    try:
        command = importlib.import_module(module)
    except Exception as error:
        from batch_infer.inference.limits import describe_shortage

        reason = describe_shortage(error)
        if reason is None:
            raise
        raise SystemExit(f"{name}: {reason}") from None
    command.main()


def exit_interrupted(name: str, *_: object) -> None:
    """Print that the command was interrupted, and end the process; can be used as a signal handler."""
    # Not an exception: modules catch some while they are loaded, and those raised in importer callbacks are lost.
    with contextlib.suppress(OSError):
        os.write(2, f"{name}: {INTERRUPTED}\n".encode())
    os._exit(130)  # errors.EXIT_SIGINT, which is not loaded yet


def enable_keyboard_interrupt() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt, because there is something to clean up before the process ends."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, functools.partial) and handler.func is exit_interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
