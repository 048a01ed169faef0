"""A working folder with the user's own train.py, export.py, … and a system that is not supported: real processes."""

import subprocess
import sys

import pytest
from support.helpers import DEADLINE, ROOT, clean_environment

OURS = "5 export: runs/latest: no finished training run there (config.json is missing); type: train run\n"


@pytest.fixture
def call(tmp_path):
    """Run Python in a folder with files of the user's; each of them prints MINE and exits with 99."""

    def run(*arguments, own: tuple[str, ...] = (), **environment) -> str:
        for name in own:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text('print("MINE")\nraise SystemExit(99)\n')
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=clean_environment(HOME=str(tmp_path), **environment),
            capture_output=True, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip
        return f"{done.returncode} {done.stdout}{done.stderr}"

    return run


@pytest.mark.parametrize(
    "own",
    [
        ("train.py",),
        ("train/__init__.py",),
        ("train/7.png",),
        ("torch.py", "onnx.py", "onnxruntime.py", "numpy.py", "typer.py", "random.py", "typing_extensions.py"),
    ],
)
def test_export_does_not_run_files_of_the_working_folder(call, own):
    assert call("-m", "export", "onnx", own=own) == OURS


def test_the_command_export_onnx_does_what_export_onnx_does(call):
    start = "from export.__main__ import onnx_main; onnx_main()"
    assert call("-c", start, own=("train.py", "batch_infer.py")) == OURS.replace(" export:", " export-onnx:")


def test_train_and_batch_infer_do_not_run_files_of_the_working_folder(call):
    own = ("export.py", "torch.py", "numpy.py", "rich.py", "random.py")
    assert call("-m", "train", "run", "--data", "gone", own=own).startswith("2 train: --data gone: ")
    assert call("-m", "batch_infer", "gone.png", own=own).startswith("2 batch-infer: gone.png: no such file or folder")


def test_a_script_beside_the_files_gets_our_packages(call):
    own = ("train.py", "batch_infer.py")
    assert call("-c", "import export, export.parity, train, sys; print(train.__all__)", own=own) == (
        "0 ['SoftmaxRegression', 'load_run', 'predict_image']\n"
    )


def test_train_finds_the_batch_job(call):
    assert call("-c", "from train import load_run; load_run('gone')", own=("batch_infer.py", "export.py")).endswith(
        "ModelError: gone: no finished training run there (config.json is missing); type: train run\n"
    )


def test_a_script_that_imported_its_own_train_before_is_told_so(call, tmp_path):
    (tmp_path / "train.py").write_text("")
    assert call("-c", "import train; from export import export_model").endswith(
        f"ImportError: train is {tmp_path}/train.py, which was imported before, and not the package of mnist-logistic; "
        "rename that file or folder\n"
    )


def test_from_a_checkout_that_is_not_installed_the_commands_run():
    done = subprocess.run(
        [sys.executable, "-m", "export", "--version"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""


@pytest.mark.parametrize("command", ["export", "train"])
def test_a_module_that_is_missing_is_a_missing_extra_only_if_it_is_one(call, command):
    part = {"export": "onnx", "train": "run"}[command]
    hide = "import sys; sys.modules[{!r}] = None; sys.argv[1:] = [{!r}]; from {}.__main__ import main; main()"
    assert call("-c", hide.format("torch", part, command)) == (
        f"1 {command}: torch is not installed; type: pip install '.[train]'\n"
    )
    assert "ModuleNotFoundError: import of csv halted" in call("-c", hide.format("csv", part, command))


@pytest.mark.parametrize(
    ("package", "name"), [("batch_infer", "batch-infer"), ("train", "train"), ("export", "export")]
)
def test_on_windows_each_command_says_one_line(call, package, name):
    windows = (
        "import sys, runpy; sys.platform = 'win32'; sys.modules['fcntl'] = sys.modules['resource'] = None; "
        "runpy.run_module({!r}, run_name='__main__')"
    )
    assert call("-c", windows.format(package)) == (
        f"1 {name}: runs on Linux and macOS, not on win32; on Windows, install it inside WSL (type: wsl --install)\n"
    )


def test_on_windows_what_python_imports_says_so_too(call):
    windows = (
        "import sys; sys.platform = 'win32'; sys.modules['fcntl'] = sys.modules['resource'] = None; "
        "from batch_infer import run_job"
    )
    assert call("-c", windows).endswith(
        "ImportError: batch_infer runs on Linux and macOS, not on win32; on Windows, install it inside WSL "
        "(type: wsl --install)\n"
    )
