"""A system that is short of processes, memory, files or a working folder: the job still runs, or says so in a line."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from support.helpers import Finished, clean_environment, save_png
from support.normal_user import POSSIBLE, run_as_normal_user

from batch_infer.inputs.arrays.idx import idx_bytes

pytestmark = pytest.mark.slow  # starts many processes

COUNT = 9_000  # three chunks, so three workers


@pytest.fixture(scope="module")
def source(mnist, tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "x-images-idx3-ubyte"
    path.write_bytes(idx_bytes(mnist.images[:COUNT]))
    path.with_name("x-labels-idx1-ubyte").write_bytes(idx_bytes(mnist.labels[:COUNT]))
    return path


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    """What a run without limits writes."""
    out = tmp_path_factory.mktemp("expected") / "p.csv"
    command = [sys.executable, "-m", "batch_infer", source, "--out", out, "--workers", "3"]
    subprocess.run(command, env=clean_environment(), check=True)
    return out.read_bytes()


@pytest.fixture
def limited(source, tmp_path):
    """Run the command with a limit of the system."""

    def call(limit, value, *options, out="p.csv") -> Finished:
        limits = {} if limit is None else {limit: value}
        command = [sys.executable, "-m", "batch_infer", source, "--out", out, "--workers", "3", *options]
        return run_as_normal_user(command, cwd=tmp_path, env=clean_environment(), limits=limits)

    return call


needs_root = pytest.mark.skipif(not POSSIBLE, reason="becomes a normal user, which takes root and setpriv")


@needs_root
@pytest.mark.parametrize("processes", [1, 2, 3, 4, 5, 6, 8])
def test_with_few_processes_there_are_fewer_workers_and_the_same_rows(limited, expected, tmp_path, processes):
    assert limited(resource.RLIMIT_NPROC, processes) == Finished(0, "", "")
    assert (tmp_path / "p.csv").read_bytes() == expected


@needs_root
@pytest.mark.parametrize("processes", [1, 3])
def test_with_few_processes_no_library_says_a_word(limited, processes):
    assert limited(resource.RLIMIT_NPROC, processes, "--incremental", out="p.parquet") == Finished(0, "", "")


@needs_root
def test_with_few_processes_the_verbose_line_says_so(limited):
    done = limited(resource.RLIMIT_NPROC, 3, "--verbose")
    assert done.code == 0
    assert "batch-infer: 2 of 3 worker processes: Resource temporarily unavailable\n" in done.stderr


@needs_root
@pytest.mark.parametrize("files", [8, 10, 12, 16, 20, 24])
def test_with_few_open_files_there_are_fewer_workers_and_the_same_rows(limited, expected, tmp_path, files):
    assert limited(resource.RLIMIT_NOFILE, files, "--incremental") == Finished(0, "", "")
    assert (tmp_path / "p.csv").read_bytes() == expected


@needs_root
def test_with_too_few_open_files_it_is_one_line(limited):
    done = limited(resource.RLIMIT_NOFILE, 5)
    assert done == Finished(1, "", "batch-infer: too many open files (ulimit -n is 5); type: ulimit -n 256\n")


@needs_root
@pytest.mark.parametrize(
    ("limit", "option", "kilobytes"),
    [(resource.RLIMIT_AS, "-v", size) for size in (60_000, 100_000, 150_000, 165_000, 200_000, 270_000, 300_000)]
    + [(resource.RLIMIT_AS, "-v", 330_000), (resource.RLIMIT_AS, "-v", 500_000)]
    + [(resource.RLIMIT_DATA, "-d", size) for size in (40_000, 80_000, 100_000, 140_000, 160_000, 200_000)],
)
def test_with_little_memory_it_runs_or_is_one_line(limited, expected, tmp_path, limit, option, kilobytes):
    done = limited(limit, kilobytes << 10)
    if done.code == 0:
        assert (tmp_path / "p.csv").read_bytes() == expected
        assert done.stderr == ""
    else:
        assert (done.code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert f"not enough memory (ulimit {option} is {kilobytes}); type: ulimit {option} unlimited" in done.stderr


@needs_root
@pytest.mark.parametrize("kilobytes", [300_000, 350_000, 400_000, 450_000, 600_000])
@pytest.mark.parametrize("count", [3, 2_100])  # up to 2,048 need no worker
def test_without_memory_for_opencv_it_is_one_line(tmp_path, kilobytes, count):
    drawing = 230 - 200 * np.eye(40, dtype=np.uint8)  # not in MNIST's format: the normalization is imported
    for number in range(count):
        save_png(tmp_path / "in" / f"{number}.png", drawing)
    command = [sys.executable, "-m", "batch_infer", "in", "--labels", "none", "--out", "p.csv", "--workers", "2"]
    limits = {resource.RLIMIT_AS: kilobytes << 10}
    done = run_as_normal_user(command, cwd=tmp_path, env=clean_environment(), limits=limits)
    if done.code == 0:
        assert done.stderr == ""
    else:
        assert (done.code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert f"not enough memory (ulimit -v is {kilobytes}); type: ulimit -v unlimited" in done.stderr
        assert not (tmp_path / "p.csv").exists()


@needs_root
@pytest.mark.parametrize(("limit", "value"), [(resource.RLIMIT_AS, 500_000 << 10), (resource.RLIMIT_NPROC, 1)])
@pytest.mark.parametrize("arguments", [["train", "run", "--epochs", "1", "--recipe", "pixels"], ["export", "onnx"]])
def test_train_and_export_need_more_and_say_so_in_one_line(tmp_path, arguments, limit, value):
    command = [sys.executable, "-m", *arguments]
    env = clean_environment(HOME=str(tmp_path))
    done = run_as_normal_user(command, cwd=tmp_path, env=env, limits={limit: value})
    if "train" in arguments and limit == resource.RLIMIT_NPROC:
        # One process is enough. (Matplotlib says where it keeps its cache, if it may not in HOME.)
        assert done.code == 0
        assert [line for line in done.stderr.splitlines() if "atplotlib" not in line] == []
    else:
        assert (len(done.stderr.splitlines()), "Traceback" in done.stderr) == (1, False)


def gone(*arguments) -> Finished:
    """Run a module in a working folder that was deleted."""
    code = "import os, sys, tempfile; folder = tempfile.mkdtemp(); os.chdir(folder); os.rmdir(folder); "
    code += "os.execv(sys.executable, [sys.executable, '-m', *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=clean_environment(), capture_output=True, timeout=60, check=False
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("batch-infer", ["batch_infer", "in"]),
        ("batch-infer", ["batch_infer", "in", "--out", "p.csv"]),
        ("train", ["train", "run"]),
        ("export", ["export", "onnx"]),
    ],
)
def test_relative_names_in_a_deleted_working_folder_are_one_line(name, arguments):
    line = f"{name}: the working folder was deleted; go to another one: cd\n"
    assert gone(*arguments) == Finished(2, "", line)


def test_absolute_names_do_in_a_deleted_working_folder(few, tmp_path):
    save_png(tmp_path / "in" / "a.png", few.images[0])
    assert gone("batch_infer", tmp_path / "in", "--out", tmp_path / "p.csv") == Finished(0, "", "")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
@pytest.mark.parametrize(
    "arguments", [["batch_infer", "--help"], ["train", "run", "--help"], ["export", "onnx", "--help"]]
)
def test_help_comes_out_in_any_encoding(tmp_path, environment, arguments):
    done = in_encoding(tmp_path, arguments, environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--help" in done.stdout


def test_training_and_exporting_come_out_in_ascii(small_mnist, tmp_path):
    environment = {"PYTHONIOENCODING": "ascii"}
    train = ["train", "run", "--recipe", "pixels", "--epochs", "1", "--validation-size", "500", "--out", "run"]
    done = in_encoding(tmp_path, [*train, "--data", small_mnist], environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"pixels: sgd on cpu ? run\n" in done.stdout
    done = in_encoding(tmp_path, ["export", "onnx", "--run", "run"], environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? model.onnx: " in done.stdout


def in_encoding(folder, arguments, environment):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=clean_environment(**environment),
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_nobody_else_is_limited(python, mnist, tmp_path):
    # The limit of memory is the workers' own: a caller's process stays as it is.
    (tmp_path / "x").write_bytes(idx_bytes(mnist.images[:COUNT]))
    done = python(
        "import os, resource\n"
        "from batch_infer import run_job\n"
        "before = [resource.getrlimit(limit) for limit in (resource.RLIMIT_DATA, resource.RLIMIT_CORE)]\n"
        "run_job(['x'], out='p.csv', workers=2)\n"
        "print(before == [resource.getrlimit(limit) for limit in (resource.RLIMIT_DATA, resource.RLIMIT_CORE)])"
    )
    assert done == Finished(0, "True\n", "")
    assert os.path.exists(tmp_path / "p.csv")
