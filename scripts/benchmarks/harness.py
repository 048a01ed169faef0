"""Benchmark harness: runs commands as whole processes, interleaved, and makes Markdown tables of their times."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).parent
SHOWN = ("numpy", "onnxruntime", "pandas", "pillow", "pyarrow", "scikit-learn", "torch", "torchvision")


class Run(NamedTuple):
    """Cost of one process: wall-clock seconds, and the peak memory of the largest process in it."""

    seconds: float
    megabytes: float


class Weights(NamedTuple):
    """One trained model in three forms: `.onnx`, `.pth` and, for the pixel model, `.npz`."""

    onnx: Path
    pth: Path
    npz: Path


def command(name: str, *arguments: object) -> list[str]:
    """A console script of this environment; `{out}` among its arguments stands for a file to write."""
    return [str(Path(sys.executable).with_name(name)), *map(str, arguments)]


def python(*arguments: object) -> list[str]:
    return [sys.executable, *map(str, arguments)]


def environment() -> str:
    """One line on the machine and the versions."""
    cpu = platform.processor() or platform.machine()
    for line in (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if os.path.exists("/proc/cpuinfo") else ()
    ):
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    versions = ", ".join(f"{name} {version(name)}" for name in SHOWN)
    return f"{os.cpu_count()} cores, {cpu}; Python {platform.python_version()}, {versions}"


@dataclass
class Bench:
    """One section of the benchmark: runs commands and collects the rows of its table."""

    work: Path
    quick: bool
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def full(self) -> int:
        return 0 if self.quick else 2

    def run(self, line: list[str], out: Path | None = None, *, watch: bool = False) -> Run:
        """Run one command to its end, and on Linux watch its memory if `watch`."""
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            target = out or Path(folder) / "out.csv"
            started = time.perf_counter()
            process = subprocess.Popen(
                [part.replace("{out}", str(target)) for part in line],
                stdout=subprocess.DEVNULL,
                env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
            )
            peak = 0.0
            while process.poll() is None:
                if watch:
                    peak = max(peak, _peak(process.pid))
                    time.sleep(0.02)
                else:
                    process.wait()
            seconds = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(f"{' '.join(line)}: exit code {process.returncode}")
        return Run(seconds, peak)

    def compare(
        self, lines: dict[str, list[str]], rounds: int | None = None, *, check: bool = True
    ) -> dict[str, float]:
        """Run commands, interleaved → median seconds by name; all must write the same predictions."""
        rounds = rounds or (1 if self.quick else 3)
        times: dict[str, list[float]] = {name: [] for name in lines}
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            for number in range(rounds):
                for name, line in lines.items():
                    out = Path(folder) / f"{name}.csv"
                    times[name].append(self.run(line, out).seconds)
                    print(f"  {name}: {times[name][-1]:.2f} s", file=sys.stderr)
                    if number == 0 and check:
                        _same_predictions(Path(folder) / f"{next(iter(lines))}.csv", out, name)
        return {name: statistics.median(taken) for name, taken in times.items()}

    def peer(self, name: str, source: Path, weights: Path, *options: object) -> list[str]:
        return python(HERE / "peers.py", name, source, "{out}", "--weights", weights, *options)

    def numbers(self, name: str, source: object, *options: object) -> list[float]:
        """The numbers that a peer prints, one per line."""
        done = subprocess.run(python(HERE / "peers.py", name, source, *options), check=True, stdout=subprocess.PIPE)
        return [float(line) for line in done.stdout.split()]

    def models(self) -> dict[str, Weights]:
        """Train and export both models once, with the commands."""
        import torch

        found = {}
        for recipe, options in (("pixels", []), ("strokes", ["--no-augment"])):
            folder = self.work / f"run-{recipe}"
            weights = Weights(folder / "model.onnx", folder / "mnist-logistic.pth", folder / "weights.npz")
            if not weights.npz.exists():
                self.run(command("train", "run", "--recipe", recipe, "--out", folder, "--quiet", *options))
                self.run(command("export", "onnx", "--run", folder, "--out", weights.onnx))
                state = torch.load(weights.pth, weights_only=True)
                np.savez(weights.npz, weight=state["linear.weight"].numpy(), bias=state["linear.bias"].numpy())
            found[recipe] = weights
        return found

    def train_ours(self, *options: str) -> list[dict[str, float]]:
        """Train the pixel model → its history, one row per epoch."""
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            self.run(command("train", "run", "--recipe", "pixels", "--out", f"{folder}/run", "--quiet", *options))
            lines = Path(folder, "run", "history.csv").read_text(encoding="utf-8").splitlines()
        columns = lines[0].split(",")
        return [dict(zip(columns, map(float, line.split(",")), strict=True)) for line in lines[1:]]

    def read_only(self, folder: Path) -> float:
        """Only open, read and close every file of a folder → µs per file: a lower bound for any program."""
        code = (
            "import os, sys\nos.chdir(sys.argv[1])\nfor name in os.listdir():\n"
            " fd = os.open(name, os.O_RDONLY)\n os.read(fd, 9999)\n os.close(fd)"
        )
        nothing = self.compare({"python": python("-c", "")}, check=False)["python"]
        seconds = self.compare({"read": python("-c", code, folder)}, check=False)["read"]
        return (seconds - nothing) / len(os.listdir(folder)) * 1e6

    def ratio(self, work: str, ours: float, peer: str, theirs: float, goal: str = "", *, unit: str = "s") -> None:
        self.row(work, f"{ours:.2f} {unit}", f"{peer}: {theirs:.2f} {unit}", goal, f"{theirs / ours:.1f}×")

    def row(self, work: str, ours: str, peer: str = "", goal: str = "", ratio: str = "") -> None:
        self.rows.append((work, ours, peer, f"{ratio} | {goal}"))

    def table(self) -> str:
        lines = ["| work | ours | peer | ratio | goal |", "|---|---:|---|---:|---|"]
        return "\n".join(lines + [f"| {' | '.join(row)} |" for row in self.rows])


def _peak(pid: int) -> float:
    """The peak resident memory of a process or one of its children, whichever is larger, so far: MB."""
    peaks = [0.0]
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        for one in (str(pid), *children):
            status = Path(f"/proc/{one}/status").read_text(encoding="utf-8").split("VmHWM:")
            peaks += [int(status[1].split()[0]) / 1024] if len(status) > 1 else []
    except OSError:  # it has just ended
        pass
    return max(peaks)


def _same_predictions(ours: Path, theirs: Path, name: str) -> None:
    """Compare predictions as sequences by path or index; ties and the last bits of a probability may differ."""
    if ours == theirs:
        return
    import pandas as pd

    one, other = (
        pd.read_csv(file, usecols=lambda column: column in {"path", "index", "prediction", "confidence"})
        for file in (ours, theirs)
    )
    key = "path" if "path" in other else "index"
    one, other = (table.sort_values(key, ignore_index=True) for table in (one, other))
    apart = (one["prediction"] != other["prediction"]) & (one["confidence"] > 0.5001)
    if len(one) != len(other) or apart.any() or (one["confidence"] - other["confidence"]).abs().max() > 1e-3:
        raise SystemExit(f"{name} gives other predictions: see {theirs}")
