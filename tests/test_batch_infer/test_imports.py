"""Libraries that take long to load are loaded late, or never."""

import numpy as np
import pytest
from support.helpers import Finished, save_png


def loaded(program, *arguments) -> set[str]:
    """Which of the libraries that are loaded late or never a fresh interpreter has after the command, or without it."""
    done = program("watched.libraries", *arguments)
    assert done.code == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_loads_none_of_its_libraries(program):
    assert loaded(program) == set()


def test_a_whole_job_with_labels_loads_no_training_library(program, labelled):
    assert loaded(program, labelled, "--out", "p.csv", "--no-report") == {"onnxruntime"}
    assert loaded(program, labelled, "--out", "p.csv") == {"jinja2", "onnxruntime", "pandas"}


@pytest.mark.parametrize("out", ["p.csv", "p.csv.gz", "p.jsonl"])
def test_a_whole_job_without_labels_loads_no_pandas_either(program, shared_files, out):
    assert loaded(program, shared_files / "pngs", "--out", out) == {"jinja2", "onnxruntime"}
    assert loaded(program, shared_files / "pngs", "--out", out, "--no-report") == {"onnxruntime"}


@pytest.fixture
def drawing(tmp_path):
    """A picture that is not in MNIST's format: a stroke on light paper."""
    return save_png(tmp_path / "1.png", 230 - 200 * np.eye(40, dtype=np.uint8))


def test_a_picture_that_is_not_in_mnist_s_format_loads_opencv(program, drawing):
    assert loaded(program, drawing, "--labels", "none", "--out", "p.csv", "--no-report") == {"onnxruntime", "cv2"}


def test_opencv_has_one_thread_in_our_own_processes(python):
    ours = "import os; from batch_infer.runtime import LIBRARY_SETTINGS; os.environ.update(LIBRARY_SETTINGS)"
    assert python(f"{ours}; import cv2; print(cv2.getNumThreads())") == Finished(0, "1\n", "")


def test_opencv_keeps_the_threads_that_a_user_gave_it(python):
    theirs = "import cv2; cv2.setNumThreads(3); from batch_infer import normalize; import numpy"
    done = python(f"{theirs}; normalize(230 - 200 * numpy.eye(300)); print(cv2.getNumThreads())")
    assert done == Finished(0, "3\n", "")


def test_version_loads_nothing(program):
    assert loaded(program, "--version") == set()
