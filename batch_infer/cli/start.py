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
        with contextlib.suppress(OSError):
            os.write(2, f"{name}: {reason}\n".encode())
        os._exit(1)  # without memory the libraries crash as they are taken down
    command.main()


def exit_interrupted(name: str, *_: object) -> None:
    """Print that the command was interrupted, and end the process; can be used as a signal handler."""
    # Not an exception: modules catch some while they are loaded, and those raised in importer callbacks are lost.
    ignore_more_signals()  # or the line comes twice
    with contextlib.suppress(OSError):
        os.write(2, f"{name}: {INTERRUPTED}\n".encode())
    os._exit(130)  # errors.EXIT_SIGINT, which is not loaded yet


def enable_keyboard_interrupt() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt, because there is something to clean up before the process ends."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, functools.partial) and handler.func is exit_interrupted:
        signal.signal(signal.SIGINT, _interrupt)


def ignore_more_signals() -> None:
    """Ignore whatever else would end the process: the first one is being obeyed, and what it puts away takes time."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _do_nothing)  # with SIG_IGN, Python complains about one that came just before


def _do_nothing(*_: object) -> None:
    pass


def _interrupt(*_: object) -> None:
    ignore_more_signals()
    raise KeyboardInterrupt
