"""The net under everything that is done with one image: whatever is raised there becomes the error of its row."""

import os
import traceback
from typing import Final

from batch_infer.contract import INTERNAL_ERROR
from batch_infer.errors import ImageError, TerminatedError
from batch_infer.inference.limits import is_out_of_memory

_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS: Final = os.path.join(_ROOT, "batch_infer", "")


def error_of_image(error: BaseException) -> tuple[str, str]:
    """Make the error of one image of what was raised while it was read, decoded or normalized.

    Returns:
        A code from contract.ERROR_CODES, and a detail for the log.

    Raises:
        KeyboardInterrupt, SystemExit, TerminatedError: the run is to end, whichever image is being worked on.
    """
    if isinstance(error, ImageError):
        return error.code, error.detail
    if isinstance(error, (KeyboardInterrupt, SystemExit, TerminatedError)):
        raise error
    if is_out_of_memory(error):
        return "too_large", "takes more memory than there is"
    return INTERNAL_ERROR, f"{type(error).__name__} at {_place(error)}; please report this line, with the file"


def _place(error: BaseException) -> str:
    """Where an exception comes from: the innermost line of ours, as `batch_infer/file.py:12, function()`."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_OURS)] or list(frames)
    if not ours:
        return "an unknown place"
    return f"{os.path.relpath(ours[-1].filename, _ROOT)}:{ours[-1].lineno}, {ours[-1].name}()"
