"""Fixtures of --sort-into."""

import pytest
from support.sorting import content_of


@pytest.fixture
def into(tmp_path):
    """The folder that pictures are laid into; it does not exist yet."""
    return tmp_path / "sorted"


@pytest.fixture
def shown(into):
    """What is in the folder: link targets, or bytes."""
    return lambda: content_of(into)
