"""The project as a whole: README against the commands and the tree."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import batch_infer.cli.main
import export.cli
import train.cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def options(app):
    command = typer.main.get_command(app)
    for one in (command, *getattr(command, "commands", {}).values()):
        for parameter in one.params:
            for name in (*parameter.opts, *parameter.secondary_opts):
                if name.startswith("-"):
                    yield name


@pytest.mark.parametrize("app", [batch_infer.cli.main.app, train.cli.app, export.cli.app])
def test_every_option_is_in_the_readme(app):
    found = set(options(app))
    assert found
    assert not [name for name in found if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", README)]


@pytest.mark.parametrize("command", [("batch_infer",), ("train",), ("train", "run"), ("export",), ("export", "onnx")])
def test_help_is_exit_0(command):
    result = subprocess.run(
        [sys.executable, "-m", *command, "--help"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "Usage" in result.stdout


def test_the_files_that_the_readme_names_exist():
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name
    tree = README.split("## The tree")[1].split("```")[1]
    for folder in ("batch_infer", "train", "export"):
        for path in (ROOT / folder).glob("*.py"):
            if not path.name.startswith("__"):
                assert path.name in tree, path


def test_no_module_is_too_long():
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("batch_infer", "train", "export", "scripts")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > 300} == {}
