"""The labels that inputs get."""

import os

import pytest

from batch_infer.errors import UsageError
from batch_infer.inputs.chunks import chunks
from batch_infer.inputs.discover import discover
from batch_infer.inputs.labels.attach import attach_labels

Path = str | os.PathLike[str]


def labels_of(*inputs: Path, labels: Path = "auto", notices: list[str] | None = None) -> list[int]:
    """The labels of all rows, -1 where unknown; there must be no notice unless a list for them is given."""
    inventory = discover([os.fspath(path) for path in inputs])
    seen: list[str] = [] if notices is None else notices
    attach_labels(inventory, os.fspath(labels), seen.append)
    assert notices is not None or seen == []
    return [label for chunk in chunks(inventory) for label in chunk.labels.tolist()]


def refusal(*inputs: Path, labels: Path = "auto") -> str:
    """The message of the UsageError that labels cause."""
    with pytest.raises(UsageError) as caught:
        labels_of(*inputs, labels=labels)
    return str(caught.value)
