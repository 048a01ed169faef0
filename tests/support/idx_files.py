"""Two small IDX files as literal bytes, and the messages about damaged ones."""

import pytest

from batch_infer.errors import DamagedArrayError
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels

TWO_IMAGES = bytes.fromhex("00000803 00000002 00000002 00000003") + bytes(range(12))

THREE_LABELS = bytes.fromhex("00000801 00000003") + bytes([7, 0, 9])


def damage(path: str) -> str:
    """The message about a damaged image file."""
    with pytest.raises(DamagedArrayError) as caught:
        IdxImages(path)
    return str(caught.value)


def label_damage(path: str, count: int = 3) -> str:
    """The message about a damaged label file, from which `count` labels are expected."""
    with pytest.raises(DamagedArrayError) as caught:
        read_labels(path, count)
    return str(caught.value)
