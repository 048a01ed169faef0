"""What the tests share besides fixtures: the path of MNIST, files, processes, the modules of scripts/."""

import csv
import gzip
import importlib.util
import os
import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
from PIL import Image

ROOT = Path(__file__).parents[2]
MNIST = ROOT / "train" / "mnist"
DEADLINE = 1800  # seconds; even on the busiest machine only a hanging process takes this long
NICE = 5  # of a process that is watched: on a busy machine the one that watches it gets the CPU first
YIELDING = ("nice", "-n", str(NICE))  # before a command


@dataclass(frozen=True)
class Finished:
    """The result of a process."""

    code: int
    stdout: str
    stderr: str


def clean_environment(**more: str) -> dict[str, str]:
    """An environment with nothing of the caller's in it."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **more}


def support_environment(**more: str) -> dict[str, str]:
    """A clean environment in which the programs of tests/support are found."""
    return clean_environment(PYTHONPATH=str(ROOT / "tests"), **more)


def support_program(name: str) -> list[str]:
    """The beginning of a command line that starts a program of tests/support, such as `faults.killer`."""
    return [sys.executable, "-m", f"support.{name}"]


def argument(value: object) -> str | bytes:
    """An argument of a command line; bytes stay bytes, as file names need not be text."""
    return value if isinstance(value, bytes) else str(value)


def script(name: str) -> ModuleType:
    """A module of scripts/, which is not a package; it finds those beside it, also when it imports them late."""
    if str(ROOT / "scripts") not in sys.path:
        sys.path.append(str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def png_chunk(kind: bytes, content: bytes = b"") -> bytes:
    """One chunk of a PNG: its length, kind, content and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def save_png(path: Path, image: npt.NDArray[np.uint8]) -> Path:
    """Write an 8-bit grey PNG, creating its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a predictions file of the CSV kinds as it stands, cell by cell."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.name.endswith(".gz") else data).decode()
    return list(csv.DictReader(text.splitlines()))
