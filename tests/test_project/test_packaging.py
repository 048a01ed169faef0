"""What is installed: the wheel, without torch and outside the checkout, and README's first command in a fresh clone."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.helpers import ROOT


def call(*command, cwd, **environment):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    call("git", "clone", "--quiet", ROOT, source, cwd=folder)  # what is committed, and nothing else
    call(sys.executable, "-m", "build", "--wheel", "--outdir", folder, source, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_what_it_should(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == {"batch_infer", "train", "export"}
    for folder in ("batch_infer", "train", "export"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in names


@pytest.mark.slow
def test_the_wheel_classifies_in_an_environment_without_torch(wheel, tmp_path):
    call(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    pip = tmp_path / "venv/bin/pip"
    call(pip, "install", "--quiet", "--constraint", ROOT / "scripts/constraints.txt", wheel, cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    installed = call(pip, "list", "--format", "freeze", cwd=tmp_path)
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


@pytest.mark.slow
def test_the_first_command_of_the_readme_runs_in_a_fresh_clone(tmp_path):
    call("git", "clone", "--quiet", ROOT, tmp_path / "clone", cwd=tmp_path)
    for _ in range(2):
        shown = call("scripts/quickstart", cwd=tmp_path / "clone", PYTHON=sys.executable)
        assert "accuracy 99." in shown
        assert '"path","index","label","prediction","confidence","status","error"' in shown
