"""What is built and installed: sdist and wheel, without torch and outside the checkout; README's first command."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.helpers import ROOT

from batch_infer import __version__

PACKAGES = ("batch_infer", "train", "export")
PINNED = ROOT / "scripts/constraints.txt"


def call(*command, cwd, **environment):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def fresh_copy(folder):
    """The project in a new folder: what is committed, and nothing else; without git (an unpacked sdist), as it is."""
    if (ROOT / ".git").exists():
        call("git", "clone", "--quiet", ROOT, folder, cwd=ROOT)
    else:
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return folder


def files(folder):
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not {".git", "__pycache__"} & set(path.relative_to(folder).parts)
    }


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The sdist of a fresh copy, and the wheel built from that sdist alone."""
    folder = tmp_path_factory.mktemp("built")
    source = fresh_copy(folder / "source")
    before = files(source)
    pins = PINNED.as_uri()  # pip splits these variables at spaces; a URL has none
    build = (sys.executable, "-m", "build", "--outdir", folder, source)
    call(*build, cwd=folder, PIP_CONSTRAINT=pins, PIP_BUILD_CONSTRAINT=pins)
    sdist, wheel = next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))
    return SimpleNamespace(sdist=sdist, wheel=wheel, source=before, left=files(source) - before)


@pytest.mark.slow
def test_building_leaves_nothing_in_the_tree(built):
    assert built.left == set()


@pytest.mark.slow
def test_the_sdist_holds_what_building_and_testing_need(built):
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names == {name for name in built.source if not name.startswith(".ci/")} | {"PKG-INFO"}


@pytest.mark.slow
def test_the_wheel_holds_what_it_should(built):
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {name for name in built.source if name.split("/")[0] in PACKAGES and "/pictures/" not in name}
    assert {"batch_infer/model/mnist-logistic.onnx", "batch_infer/py.typed"} <= names
    assert {"train/mnist/t10k-images-idx3-ubyte.gz", "train/py.typed", "export/py.typed"} <= names


@pytest.mark.slow
def test_the_wheel_says_what_it_is(built):
    with zipfile.ZipFile(built.wheel) as archive:
        root = next(name for name in archive.namelist() if name.endswith("/METADATA")).removesuffix("METADATA")
        metadata = Parser().parsestr(archive.read(f"{root}METADATA").decode())
        commands = archive.read(f"{root}entry_points.txt").decode()
        assert f"{root}licenses/LICENSE.md" in archive.namelist()
    assert (metadata["Name"], metadata["Version"]) == ("mnist-logistic", __version__)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")
    assert re.findall(r"^[a-z-]+", commands, re.MULTILINE) == ["batch-infer", "export", "export-onnx", "train"]


@pytest.mark.long
@pytest.mark.slow
def test_the_wheel_classifies_in_an_environment_without_torch(built, tmp_path):
    call(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    call(*pip, "install", "--quiet", "--no-compile", "--constraint", PINNED, built.wheel, cwd=tmp_path)
    installed = call(*pip, "list", "--format", "freeze", cwd=tmp_path)
    assert not re.search(r"^(torch|torchvision|onnx|onnxscript|matplotlib)==", installed, re.MULTILINE)
    where = call(python, "-c", "import train.data; print(train.data.PACKAGED_MNIST)", cwd=tmp_path).strip()
    assert where.startswith(str(tmp_path / "venv"))
    idx = Path(where) / "t10k-images-idx3-ubyte.gz"
    call(tmp_path / "venv/bin/batch-infer", idx, "--out", "p.csv", "--min-accuracy", "0.99", cwd=tmp_path)
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 10_001
    for command, extra in (("train", "run"), ("export", "onnx")):
        result = subprocess.run(
            [tmp_path / "venv/bin" / command, extra], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 1
        assert result.stderr == f"{command}: torch is not installed; type: pip install '.[train]'\n"


@pytest.mark.long
@pytest.mark.slow
def test_the_first_command_of_the_readme_runs_in_a_fresh_clone(tmp_path):
    clone = fresh_copy(tmp_path / "a clone")
    before = files(clone)
    for _ in range(2):
        shown = call("scripts/quickstart", cwd=clone, PYTHON=sys.executable)
        assert "accuracy 99." in shown
        assert '"path","index","label","prediction","confidence","status","error"' in shown
    left = {name.split("/")[0] for name in files(clone) - before}
    assert left == {".venv", "quickstart-output"}  # no build/, no egg-info
