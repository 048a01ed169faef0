"""Shared fixtures: the packaged MNIST test images, files made of them, and the command as a process."""

import functools
import gzip
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from support.helpers import (
    DEADLINE,
    MNIST,
    Finished,
    argument,
    clean_environment,
    read_rows,
    save_png,
    support_environment,
)
from support.made_once import made_once
from support.order import in_order
from support.preloaded import Preloaded

from batch_infer.classifier import OnnxClassifier
from batch_infer.inputs.arrays.idx import IdxImages, idx_bytes
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.job.run import run_job

FEW = 300

for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        # As by nohup, or a shell for what it starts in the background. What is ignored is inherited, also by processes
        # that tests signal; a handler is not: with one that does nothing they start as from a terminal.
        signal.signal(number, lambda *_: None)


settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let what takes long begin first, so that all processes end at about the same time."""
    items[:] = in_order(items, getattr(config, "workerinput", {}).get("workercount", 1))


@pytest.fixture(scope="session")
def mnist():
    """The 10,000 test images `(N, 28, 28)` and their labels `(N,)`, both uint8."""
    images = IdxImages(str(MNIST / "t10k-images-idx3-ubyte.gz")).read_all()
    labels = read_labels(str(MNIST / "t10k-labels-idx1-ubyte.gz"), len(images)).astype(np.uint8)
    return SimpleNamespace(images=images, labels=labels)


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory):
    """A folder of IDX files with the first 3,000 training and 500 test images."""
    return made_once(tmp_path_factory, "small-mnist", functools.partial(first_images, counts=(3000, 500)))


@pytest.fixture(scope="session")
def tiny_mnist(tmp_path_factory):
    """The same of 600 and 100 images, where only equal results matter, and no accuracy."""
    return made_once(tmp_path_factory, "tiny-mnist", functools.partial(first_images, counts=(600, 100)))


def first_images(folder: Path, counts: tuple[int, int]) -> None:
    """Write the first images of MNIST, so many for training and so many for tests, with their labels."""
    for name, count in zip(("train", "t10k"), counts, strict=True):
        images = IdxImages(str(MNIST / f"{name}-images-idx3-ubyte.gz"))
        labels = read_labels(str(MNIST / f"{name}-labels-idx1-ubyte.gz"), images.shape[0])
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx_bytes(images.read_all()[:count]))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx_bytes(labels[:count].astype(np.uint8)))


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory):
    """Starts the commands `train` and `export`, and programs that need torch, with the libraries loaded already."""
    with Preloaded(tmp_path_factory.mktemp("preloaded")) as commands:
        yield commands


@pytest.fixture(scope="session")
def textbook_run(preloaded, tmp_path_factory):
    """The run folder of the textbook model: pixels, trained on all of MNIST with the recipe's defaults."""

    def make(folder):
        done = preloaded.call("train", "run", "--recipe", "pixels", "--out", "run", cwd=folder)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "textbook", make) / "run"


@pytest.fixture(scope="session")
def few(mnist):
    """The first 300 of them; one has a wrong label, so that the model makes a mistake."""
    labels = mnist.labels[:FEW].copy()
    labels[0] = 8  # it is a 7
    return SimpleNamespace(images=mnist.images[:FEW], labels=labels)


@pytest.fixture(scope="session")
def classifier():
    """The bundled model, opened."""
    return OnnxClassifier()


@pytest.fixture(scope="session")
def shared_files(few, tmp_path_factory):
    """The 300 images in every form: `pngs/`, `classes/<label>/`, plain and gzip IDX, alone and with labels beside."""
    root = tmp_path_factory.mktemp("digits")
    for number, image in enumerate(few.images):
        save_png(root / "pngs" / f"{number:05}.png", image)
    for number, (image, label) in enumerate(zip(few.images[:60], few.labels[:60], strict=True)):
        save_png(root / "classes" / str(label) / f"{number:05}.png", image)
    images, labels = idx_bytes(few.images), idx_bytes(few.labels)
    (root / "few.idx").write_bytes(images)
    (root / "few.idx.gz").write_bytes(gzip.compress(images, 1))
    (root / "labels.idx").write_bytes(labels)
    (root / "labelled").mkdir()
    (root / "labelled" / "x-images-idx3-ubyte").write_bytes(images)
    (root / "labelled" / "x-labels-idx1-ubyte").write_bytes(labels)
    return root


@pytest.fixture
def pngs(few, tmp_path) -> Callable[..., Path]:
    """Make a folder of PNGs of the first images, by the names given."""

    def make(*names: str, folder: str = "in") -> Path:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            save_png(root / name, few.images[number])
        return root

    return make


@pytest.fixture
def few_idx(shared_files) -> Path:
    """The 300 images as an IDX file without labels."""
    return shared_files / "few.idx"


@pytest.fixture
def labelled(shared_files) -> Path:
    """The 300 images as an IDX file with labels beside."""
    return shared_files / "labelled" / "x-images-idx3-ubyte"


@pytest.fixture
def bad_folder(pngs) -> Path:
    """Two good files and a broken one."""
    root = pngs("a.png", "c.png", folder="bad")
    (root / "b.png").write_bytes(b"broken")
    return root


@pytest.fixture
def rows(tmp_path) -> Callable[..., list[dict[str, str]]]:
    """Run a job in this process and give its rows."""

    def run(*inputs, out="rows.csv", **options):
        run_job(inputs, out=tmp_path / out, **{"workers": 1, "report": False, **options})
        return read_rows(tmp_path / out)

    return run


@pytest.fixture
def run(tmp_path) -> Callable[..., Finished]:
    """Run `python -m batch_infer …` in an environment of its own."""

    def call(*arguments, env=None, stdin=None, cwd=None, **options) -> Finished:
        environment = clean_environment(HOME=str(tmp_path)) if env is None else env
        place = tmp_path if cwd is None else cwd
        return finished(["-m", "batch_infer", *arguments], env=environment, cwd=place, input=stdin, **options)

    return call


@pytest.fixture
def python(tmp_path) -> Callable[..., Finished]:
    """Run a line of Python in a fresh interpreter; `arguments` are its sys.argv[1:]."""

    def call(code: str, *arguments) -> Finished:
        return finished(["-c", code, *arguments], env=clean_environment(HOME=str(tmp_path)), cwd=tmp_path)

    return call


@pytest.fixture
def program(tmp_path) -> Callable[..., Finished]:
    """Run a program of tests/support, as `faults.killer`, in a fresh interpreter."""

    def call(name: str, *arguments) -> Finished:
        environment = support_environment(HOME=str(tmp_path))
        return finished(["-m", f"support.{name}", *arguments], env=environment, cwd=tmp_path)

    return call


def finished(arguments, *, input=None, **options) -> Finished:  # noqa: A002 - as subprocess names it
    """Run Python with some arguments and wait for its end; without an input, its standard input is empty."""
    done = subprocess.run(
        [sys.executable, *map(argument, arguments)],
        **({"stdin": subprocess.DEVNULL} if input is None else {"input": input}),
        capture_output=True,
        timeout=DEADLINE,
        check=False,
        **options,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())
