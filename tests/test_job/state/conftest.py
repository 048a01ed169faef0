"""Fixtures of the state of --incremental."""

import pytest


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """Trust files at once: their change time cannot be set back, and waiting two seconds in each test is long."""
    monkeypatch.setattr("batch_infer.job.state.incremental._YOUNG", 0)
