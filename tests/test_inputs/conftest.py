"""Fixtures of the inputs: files and trees of files."""

import os
from pathlib import Path

import pytest


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
