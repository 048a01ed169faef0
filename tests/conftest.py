"""Shared fixtures: the packaged MNIST test images, files made of them, and the command as a process."""

import csv
import gzip
import importlib.util
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from batch_infer.classifier import OnnxClassifier
from batch_infer.idx import IdxImages, idx_bytes, read_labels
from batch_infer.job import run_job

MNIST = Path(__file__).parent.parent / "train" / "mnist"
FEW = 300


@dataclass(frozen=True)
class Finished:
    """What a process left."""

    code: int
    stdout: str
    stderr: str


def clean_environment(**more: str) -> dict[str, str]:
    """An environment with nothing of the caller's in it."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **more}


def _argument(value) -> str | bytes:
    return value if isinstance(value, bytes) else str(value)


def script(name: str) -> ModuleType:
    """A module of scripts/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, MNIST.parents[1] / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def png_chunk(kind: bytes, content: bytes = b"") -> bytes:
    """One chunk of a PNG: its length, kind, content and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def save_png(path: Path, image: np.ndarray) -> Path:
    """Write an 8-bit grey PNG, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a predictions file of the CSV kinds as it stands, cell by cell."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.name.endswith(".gz") else data).decode()
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="session")
def mnist():
    """The 10,000 test images `(N, 28, 28)` and their labels `(N,)`, both uint8."""
    images = IdxImages(str(MNIST / "t10k-images-idx3-ubyte.gz")).read_all()
    labels = read_labels(str(MNIST / "t10k-labels-idx1-ubyte.gz"), len(images)).astype(np.uint8)
    return SimpleNamespace(images=images, labels=labels)


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory):
    """A folder of IDX files with the first 3,000 training and 500 test images."""
    folder = tmp_path_factory.mktemp("small-mnist")
    for name, count in (("train", 3000), ("t10k", 500)):
        images = IdxImages(str(MNIST / f"{name}-images-idx3-ubyte.gz"))
        labels = read_labels(str(MNIST / f"{name}-labels-idx1-ubyte.gz"), images.shape[0])
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx_bytes(images.read_all()[:count]))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx_bytes(labels[:count].astype(np.uint8)))
    return folder


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
        done = subprocess.run(
            [sys.executable, "-m", "batch_infer", *map(_argument, arguments)],
            env=clean_environment(HOME=str(tmp_path)) if env is None else env,
            cwd=tmp_path if cwd is None else cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=120,
            check=False,
            **options,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


@pytest.fixture
def python(tmp_path) -> Callable[..., Finished]:
    """Run a piece of Python in a fresh interpreter; `arguments` are its sys.argv[1:]."""

    def call(code: str, *arguments, timeout=120) -> Finished:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(_argument, arguments)],
            env=clean_environment(HOME=str(tmp_path)),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call
