"""The project as a whole: its commands and its modules."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", [("batch_infer",), ("train",), ("train", "run"), ("export",), ("export", "onnx")])
def test_help_is_exit_0(command):
    result = subprocess.run(
        [sys.executable, "-m", *command, "--help"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "Usage" in result.stdout


def test_no_module_is_too_long():
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("batch_infer", "train", "export", "scripts")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > 300} == {}
