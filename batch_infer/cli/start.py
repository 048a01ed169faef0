"""The first thing a command does: Ctrl-C is one line and exit 130 already while the libraries are loaded.

Imports little, so that the moment before it is a short one.
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
        name: the command's, for the line on stderr.
        module: as `batch_infer.cli.main`.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as by nohup
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
    """Say that the command was interrupted, and end the process; takes what a signal's handler is given, too."""
    # No exception: modules that are being loaded catch some, and lose those that arise in callbacks of the importer.
    ignore_more_signals()  # or the line comes twice
    with contextlib.suppress(OSError):
        os.write(2, f"{name}: {INTERRUPTED}\n".encode())
    os._exit(130)  # errors.EXIT_SIGINT, which would have to be loaded


def enable_keyboard_interrupt() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt: there is something to put away before the process ends."""
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
