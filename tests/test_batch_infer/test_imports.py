"""Libraries that take long to load are loaded late, or never."""

import pytest


def loaded(program, *arguments) -> set[str]:
    """Which of the libraries that are loaded late or never a fresh interpreter has after the command, or without it."""
    done = program("watched.libraries", *arguments)
    assert done.code == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_loads_none_of_its_libraries(program):
    assert loaded(program) == set()


def test_a_whole_job_with_labels_loads_no_training_library(program, labelled):
    assert loaded(program, labelled, "--out", "p.csv") == {"onnxruntime", "pandas"}


@pytest.mark.parametrize("out", ["p.csv", "p.csv.gz"])
def test_a_whole_job_without_labels_loads_no_pandas_either(program, shared_files, out):
    assert loaded(program, shared_files / "pngs", "--out", out) == {"onnxruntime"}


def test_version_loads_nothing(program):
    assert loaded(program, "--version") == set()
