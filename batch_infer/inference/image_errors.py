"""The catch-all for one image: any exception raised while it is processed becomes the error of its row."""

import os
import traceback
from typing import Final

from batch_infer.contract import INTERNAL_ERROR
from batch_infer.errors import ImageError, TerminatedError
from batch_infer.inference.limits import is_out_of_memory

_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS: Final = os.path.join(_ROOT, "batch_infer", "")


def error_of_image(error: BaseException) -> tuple[str, str]:
    """Convert an exception raised while an image was read, decoded or normalized into the error of its row.

    Returns:
        A code from contract.ERROR_CODES, and a detail for the log.

    Raises:
        KeyboardInterrupt, SystemExit, TerminatedError: the run must end, whichever image is being processed.
        ImportError: there is no memory for a library that is imported late; no other image could be processed either.
    """
    if isinstance(error, ImageError):
        return error.code, error.detail
    if isinstance(error, (KeyboardInterrupt, SystemExit, TerminatedError)):
        raise error
    if is_out_of_memory(error):
        if isinstance(error, ImportError):
            raise error
        return "too_large", "needs more memory than there is"
    return INTERNAL_ERROR, f"{type(error).__name__} at {_place(error)}; please report this line, with the file"


def _place(error: BaseException) -> str:
    """Where an exception comes from: the innermost line of ours, as `batch_infer/file.py:12, function()`."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_OURS)] or list(frames)
    if not ours:
        return "an unknown place"
    return f"{os.path.relpath(ours[-1].filename, _ROOT)}:{ours[-1].lineno}, {ours[-1].name}()"
