"""Fixtures of the inputs: files and trees of files."""

import gzip
import os
from pathlib import Path

import pytest

from batch_infer.inputs.arrays.idx import idx_bytes


@pytest.fixture
def file(tmp_path):
    def write(content: bytes, name: str = "file") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


@pytest.fixture
def tree(tmp_path):
    """Make empty files by name; the inventory does not open files in folders."""

    def make(*names: str | bytes) -> Path:
        for name in names:
            path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb"):
                pass
        return tmp_path

    return make


@pytest.fixture
def idx(tmp_path, few):
    """Write an IDX file of three images, and files beside it."""

    def write(name="x-images-idx3-ubyte", **beside: bytes):
        content = idx_bytes(few.images[:3])
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        for other, data in beside.items():
            (tmp_path / other.replace("_", "-")).write_bytes(data)
        return tmp_path / name

    return write


@pytest.fixture
def table(tmp_path):
    """Write a labels file."""

    def write(content: str | bytes, name="labels.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
