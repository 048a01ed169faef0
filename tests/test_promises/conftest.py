"""Fixtures of the promises."""

import numpy as np
import pytest
from support.helpers import (
    save_png,
)

from batch_infer.inputs.idx import idx_bytes


@pytest.fixture
def many(mnist, tmp_path):
    """3,000 labelled images in an IDX file, enough for two workers, and a folder with a broken picture."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x-images-idx3-ubyte").write_bytes(idx_bytes(mnist.images[:3_000]))
    (tmp_path / "in" / "x-labels-idx1-ubyte").write_bytes(idx_bytes(mnist.labels[:3_000]))
    save_png(tmp_path / "in" / "pictures" / "a.png", np.pad(mnist.images[0], 20))
    (tmp_path / "out").mkdir()
    return [tmp_path / "in" / "x-images-idx3-ubyte", tmp_path / "in" / "pictures"]
