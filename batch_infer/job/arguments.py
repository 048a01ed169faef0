"""The arguments of run_job: INPUTs as strings, what a run reads, the confidence in parts per million."""

import os
from collections.abc import Iterable, Iterator

from batch_infer.classifier import BUNDLED_MODEL
from batch_infer.contract import MILLION
from batch_infer.errors import UsageError


def paths_of(inputs: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The INPUTs as strings.

    Raises:
        UsageError: one path instead of a list of them, or something that is no path.
    """
    if isinstance(inputs, str | bytes | os.PathLike):
        raise UsageError(f"inputs: expected a list of paths, not a single one; write [{inputs!r}]")
    try:
        return [os.fsdecode(path) for path in inputs]
    except TypeError as error:
        raise UsageError(f"inputs: expected a list of paths: {error}") from error


def sources_of(
    inputs: list[str], labels: str | os.PathLike[str], model: str | os.PathLike[str] | None
) -> Iterator[tuple[str, str]]:
    """What a run reads and must not replace: the option or INPUT that names it, and its path."""
    yield from (("INPUT", path) for path in inputs)
    if labels not in {"auto", "none"}:
        yield "--labels", os.fspath(labels)
    yield "--model", os.fspath(BUNDLED_MODEL if model is None else model)


def confidence_in_ppm(min_confidence: float) -> int:
    """The least confidence in parts per million.

    Raises:
        UsageError: it is not from 0 to 1.
    """
    if not 0 <= min_confidence <= 1:
        raise UsageError(f"--min-confidence {min_confidence}: expected a number from 0 to 1, such as 0.8")
    return round(min_confidence * MILLION)
