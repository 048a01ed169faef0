"""The errors a user can cause, each one line long and with an exit code.

    MnistLogisticError          never raised itself
    ├── MissingExtraError    1  an optional package is not installed
    ├── WorkerError          1  worker processes were killed from outside, or by too many files
    ├── UsageError           2  options, missing input, labels or data that do not fit
    ├── NoInputError         4  no image found
    │   └── InputLostError   4  a disk, folder or IDX file of the inputs is gone or was changed
    ├── ModelError           5  model or checkpoint refused
    ├── OutputError          6  an output cannot be written
    ├── LockError            7  another run holds the output
    └── GateError            8  parity failed

An error of one image does not end the run; it becomes a code in the image's row (contract.ERROR_CODES).
Anything else that is raised is a bug and keeps its traceback.
"""

from typing import ClassVar, Final

EXIT_OK: Final = 0
EXIT_BUG: Final = 1
EXIT_USAGE: Final = 2
EXIT_ERROR_ROWS: Final = 3
EXIT_NO_INPUT: Final = 4
EXIT_MODEL: Final = 5
EXIT_OUTPUT: Final = 6
EXIT_LOCK: Final = 7
EXIT_GATE: Final = 8
EXIT_SIGHUP: Final = 129
EXIT_SIGINT: Final = 130
EXIT_SIGTERM: Final = 143

NOTHING_PUBLISHED: Final = "nothing was published, what was there stays"
STAYS: Final = f"is the disk mounted? {NOTHING_PUBLISHED}"  # ends messages about lost inputs
_EXTRA_TRAIN: Final = frozenset({"matplotlib", "onnx", "onnxscript", "torch", "torchvision"})


class MnistLogisticError(Exception):
    """Base of all errors a user can cause; its message says what is wrong, where, what was expected and what to do."""

    exit_code: ClassVar[int] = EXIT_BUG


class MissingExtraError(MnistLogisticError):
    """An optional package is not installed."""

    exit_code = EXIT_BUG

    @classmethod
    def of(cls, error: ModuleNotFoundError) -> "MissingExtraError":
        """The error for a module that was not found.

        Raises:
            ModuleNotFoundError: it is none that the extra `train` brings.
        """
        if error.name not in _EXTRA_TRAIN:
            raise error
        return cls(f"{error.name} is not installed; type: pip install '.[train]'")


class WorkerError(MnistLogisticError):
    """Worker processes died, killed from outside or by too many files; nothing was published."""

    exit_code = EXIT_BUG


class UsageError(MnistLogisticError):
    """Options, inputs, labels or data do not fit."""

    exit_code = EXIT_USAGE


class NoInputError(MnistLogisticError):
    """Nothing to classify was found; nothing was published."""

    exit_code = EXIT_NO_INPUT


class InputLostError(NoInputError):
    """A disk or folder of the inputs is gone, or many files, or an IDX file was changed; nothing was published."""


class ModelError(MnistLogisticError):
    """A model or checkpoint was refused."""

    exit_code = EXIT_MODEL


class OutputError(MnistLogisticError):
    """An output cannot be written."""

    exit_code = EXIT_OUTPUT


class LockError(MnistLogisticError):
    """Another run holds the output's lock."""

    exit_code = EXIT_LOCK


class GateError(MnistLogisticError):
    """A gate failed."""

    exit_code = EXIT_GATE


class DamagedArrayError(Exception):
    """A file of many images does not hold what it says; becomes a row (batch_infer) or a UsageError (train)."""


class ImageError(Exception):
    """One image cannot be used: a code from contract.ERROR_CODES, and a detail for the log. Becomes a row."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class TerminatedError(BaseException):
    """SIGTERM arrived. A BaseException, so that no handler of ordinary errors swallows it."""

    exit_code: ClassVar[int] = EXIT_SIGTERM
    message: ClassVar[str] = "terminated (SIGTERM)"
    consequence: str = "the old output is untouched"


class InterruptError(TerminatedError):
    """SIGINT arrived. Not KeyboardInterrupt: where one passes through `exec`, Python itself dies of SIGINT at exit."""

    exit_code = EXIT_SIGINT
    message = "interrupted (SIGINT)"


class HungUpError(TerminatedError):
    """SIGHUP arrived: the terminal or the connection that the command belongs to is gone."""

    exit_code = EXIT_SIGHUP
    message = "hung up (SIGHUP)"
