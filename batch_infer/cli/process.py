"""What the three commands share: one-line errors, exit codes, signals, logging."""

import errno
import io
import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import typer

from batch_infer.cli.quiet_pipe import quiet_pipe
from batch_infer.errors import (
    EXIT_BUG,
    EXIT_OUTPUT,
    EXIT_USAGE,
    HungUpError,
    InterruptError,
    MnistLogisticError,
    TerminatedError,
    UsageError,
)
from batch_infer.inference.limits import describe_shortage, require_address_space, working_folder_is_gone
from batch_infer.runtime import LIBRARY_SETTINGS, declare_own_process
from batch_infer.signals import ENDING_SIGNALS, ignore_signals

_ERRORS: Final[dict[int, type[TerminatedError]]] = {
    signal.SIGINT: InterruptError,
    signal.SIGTERM: TerminatedError,
    signal.SIGHUP: HungUpError,
}

_NO_NUMBER: Final = re.compile(  # Typer's words since 0.28, and before
    r"Input should be a valid (integer|number)"
    r"(?:, unable to parse string as an? \w+|, got a number with a fractional part)?"
    r"|'[^']*' is not a valid (int|float)"
)

# Of a print. Errors of files have a file's name, or became an OutputError that has it.
_STREAM_ERRORS: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF})


def run_app(app: Callable[..., Any], name: str) -> None:
    """Run a Typer app as a process: never returns.

    An error that a user can cause is one line on stderr and an exit code; a bug keeps its traceback and is exit 1.
    """
    declare_own_process()
    for number in _ERRORS:
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)
    _fill_standard_descriptors()
    if sys.stderr is None:  # closed by our parent process, so nobody wants the messages
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    os.environ.update({**LIBRARY_SETTINGS, **os.environ})
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # do not fail because the terminal cannot show an arrow or a tick
    sys.stdout, sys.stderr = quiet_pipe(sys.stdout), quiet_pipe(sys.stderr)
    code = _exit_code(app, name)
    ignore_signals()  # the exit code is settled; the interpreter only shuts down
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # at exit Python drops its own handlers first
    sys.exit(code)


def print_error(name: str, message: str) -> None:
    """Write one line to stderr, or one object if the log is JSON; a closed stderr is ignored."""
    logger = logging.getLogger("batch_infer")
    if any(isinstance(handler.formatter, _JsonFormatter) for handler in logger.handlers):
        logger.error(message)
        return
    try:
        print(f"{name}: {one_line(message)}", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - so that Python's exit does not fail once more


def require_working_folder() -> None:
    """Check that relative paths can be resolved.

    Raises:
        UsageError: the folder that the command was started in was deleted.
    """
    if working_folder_is_gone():
        raise UsageError("the working folder was deleted; go to another one: cd")


def one_line(text: str) -> str:
    """Escape line breaks and terminal control sequences."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def setup_logging(name: str, *, level: int, json_lines: bool) -> None:
    """Send the log to stderr, one line per record, as text or JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if json_lines else _TextFormatter(f"{name}: %(message)s"))
    logger = logging.getLogger("batch_infer")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False


def _fill_standard_descriptors() -> None:
    """Open /dev/null for each closed one of 0, 1, 2, or an output file would get its number, and what C code prints."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one


def _exit_code(app: Callable[..., Any], name: str) -> int:
    try:
        require_address_space()
        code = int(app(standalone_mode=False) or 0)
        return _flushed(name, code)
    except MnistLogisticError as error:
        print_error(name, str(error))
        return error.exit_code
    except typer.TyperException as error:
        message = _plain(error.format_message())
        if message:  # otherwise the help was shown, as there was no command
            # In a shell `export --help` is the shell's own.
            print_error(name, f"{message} Try: {'python -m ' * (name == 'export')}{name} --help")
        return EXIT_USAGE
    except TerminatedError as error:
        print_error(name, f"{error.message}; {error.consequence}")
        return error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _STREAM_ERRORS and error.filename is None:
            return _fail_output(name, error)
        reason = describe_shortage(error)
        if reason is None:
            raise
        print_error(name, reason)
        os._exit(EXIT_BUG)  # everything is cleaned up; without memory the libraries crash at exit


def _plain(message: str) -> str:
    """What Typer says of an option, as one sentence and without the words of its validation library."""
    text = _NO_NUMBER.sub(_expected_number, " ".join(message.split()).replace("Value error, ", ""))
    text = text.replace("Input should be", "expected").strip(" .")
    return text and text + "." * (text[-1] not in "?!")


def _expected_number(found: re.Match[str]) -> str:
    return "expected a whole number" if "int" in (found[1] or found[2]) else "expected a number"


def _flushed(name: str, code: int) -> int:
    """Flush what was printed; a reader that is gone, or a full disk, is exit 6."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        return _fail_output(name, error)
    return code


def _fail_output(name: str, error: OSError) -> int:
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - so that Python's exit does not fail once more
    print_error(name, f"standard output: cannot be written: {error.strerror}")
    return EXIT_OUTPUT


def _end(number: int, _frame: object) -> None:
    ignore_signals()  # a further one must not disturb what is put away now
    raise _ERRORS[number]


class _TextFormatter(logging.Formatter):
    """One line per record, whatever it contains."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


class _JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, message, and path and code if the record has them."""

    def format(self, record: logging.LogRecord) -> str:
        content = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        content |= {key: getattr(record, key) for key in ("path", "code") if hasattr(record, key)}
        return json.dumps(content)
