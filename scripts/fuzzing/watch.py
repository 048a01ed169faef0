"""Give files to the real command, and say what was not as promised: exit code, rows, stderr, memory, time, litter."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from batch_infer.contract import ERROR_CODES

MEASURED: Final = Path(__file__).with_name("measured.py")
MOST_MEMORY: Final = 600  # MB, of the largest process; what is decoded may have 50 megapixels
DEADLINE: Final = 900  # seconds by the clock; on a busy machine only what hangs takes so long
MOST_CPU: Final = (20.0, 0.15)  # seconds for a run, and for each file; a hundredth of it is usual
# Files that nobody touches are never these.
IMPOSSIBLE: Final = {"internal_error", "vanished", "not_regular", "no_permission", "wrong_shape"}
OUTPUTS: Final = {
    "p.csv",
    "p.history.csv",
    "p.report.html",
    "p.run.json",
    "p.lock",
    "p.accuracy.csv",
    "p.confusion.csv",
    "p.mistakes.csv",
}


class Attack(NamedTuple):
    """Files, and how the command is given some of them.

    Attributes:
        files: content by name; they lie in the folder `in`.
        arguments: the command's, for some of the names.
        codes: exit codes that may be.
        beside: other files, by name.
        rows: whether each file has rows of its own; labels have none.
    """

    files: dict[str, bytes]
    arguments: Callable[[list[str]], list[str]]
    codes: frozenset[int] = frozenset({0, 3})
    beside: Mapping[str, bytes] = MappingProxyType({})
    rows: bool = True


class Outcome(NamedTuple):
    """What a run did.

    Attributes:
        problems: what was not as promised of the run as a whole.
        blamed: what was not as promised, by the name of the file.
        rows: the rows of each of the files, as they stand.
        counts: of the rows, by error code, or `ok`.
        code: the exit code.
        memory: peak of the largest process in MB.
    """

    problems: list[str]
    blamed: dict[str, str]
    rows: dict[str, list[tuple[str, ...]]]
    counts: Counter[str]
    code: int
    memory: float


class _Finished(NamedTuple):
    code: int
    stdout: str
    stderr: str
    memory: float  # MB
    cpu: float  # seconds
    hung: bool


def attack(what: Attack, names: list[str]) -> Outcome:
    """Run the command on some of the files of an attack, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
        inputs, outputs, temporary = (Path(work, name) for name in ("job/in", "out", "tmp"))
        for folder in (inputs, outputs, temporary):
            folder.mkdir(parents=True)
        for name in names:
            (inputs / name).write_bytes(what.files[name])
        for name, content in what.beside.items():
            (inputs.parent / name).write_bytes(content)
        command = [sys.executable, "-m", "batch_infer", *what.arguments(names), "--out", "../out/p.csv"]
        done = _run(command, inputs.parent, temporary)
        problems = [*_problems(done, what, len(names))]
        stray = {*os.listdir(outputs)} - OUTPUTS | {*os.listdir(temporary)}
        stray |= {*os.listdir(inputs.parent)} - {"in", *what.beside} | {*os.listdir(inputs)} - {*names}
        if stray and done.code >= 0:  # what is killed leaves things
            problems.append(f"files were left: {', '.join(sorted(stray))}")
        rows: dict[str, list[tuple[str, ...]]] = {}
        blamed: dict[str, str] = {}
        if done.code in {0, 3}:
            found = _rows(outputs / "p.csv")
            problems += _miscounted(outputs / "p.run.json", found, done.code)
            rows, blamed = _by_file(found, names) if what.rows else ({}, {})
        counts = Counter(row[-1] or "ok" for group in rows.values() for row in group)
        return Outcome(problems, blamed, rows, counts, done.code, done.memory)


def narrowed(names: list[str], fails: Callable[[list[str]], bool]) -> list[str]:
    """Halve the files as long as one of the halves fails alone."""
    while len(names) > 1:
        halves = names[: len(names) // 2], names[len(names) // 2 :]
        failing = next((half for half in halves if fails(half)), None)
        if failing is None:
            break
        names = failing
    return names


def _run(command: list[str], cwd: Path, temporary: Path) -> _Finished:
    environment = {name: value for name, value in os.environ.items() if name != "BATCH_INFER_MODEL"}
    environment |= {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    # Files and no pipes: what the command started could keep a pipe open.
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        stdout, stderr, report = (Path(folder, name) for name in ("stdout", "stderr", "report"))
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-IS", MEASURED, report, *command],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            hung = False
            try:
                process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                hung = True
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # also what the command left behind
                process.wait()
        code, memory, cpu = json.loads(report.read_text()) if report.exists() else (-signal.SIGKILL, 0.0, 0.0)
        texts = [path.read_text(encoding="utf-8", errors="backslashreplace") for path in (stdout, stderr)]
    return _Finished(code, *texts, memory, cpu, hung)


def _problems(done: _Finished, what: Attack, count: int) -> list[str]:
    problems = []
    if done.hung:
        problems.append(f"still running after {DEADLINE} s")
    elif done.code not in what.codes:
        problems.append(f"exit code {done.code}; stderr ends with {done.stderr[-600:]!r}")
    if done.stdout:
        problems.append(f"on stdout: {done.stdout[:300]!r}")
    foreign = [line for line in done.stderr.split("\n")[:-1] if not line.startswith("batch-infer: ")]
    if foreign or (done.stderr and not done.stderr.endswith("\n")):
        problems.append(f"on stderr, not of ours: {(foreign or [done.stderr[-300:]])[0][:300]!r}")
    if done.memory > MOST_MEMORY:
        problems.append(f"{done.memory:.0f} MB of memory; expected at most {MOST_MEMORY}")
    if done.cpu > MOST_CPU[0] + MOST_CPU[1] * count:
        problems.append(f"{done.cpu:.0f} s of CPU time for {count} files")
    return problems


def _rows(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def _miscounted(run_json: Path, rows: list[tuple[str, ...]], code: int) -> list[str]:
    """What run.json says against the rows and the exit code."""
    said = json.loads(run_json.read_text(encoding="utf-8"))
    errors = Counter(row[-1] for row in rows if row[-1])
    if said["rows"] != len(rows) or said["errors"] != errors or said["exit_code"] != code:
        return [f"run.json says {said['rows']} rows, exit code {said['exit_code']} and {said['errors']}"]
    if code != (3 if errors else 0):
        return [f"exit code {code} with {errors.total()} error rows"]
    return []


def _by_file(rows: list[tuple[str, ...]], names: list[str]) -> tuple[dict[str, list[tuple[str, ...]]], dict[str, str]]:
    """The rows of each file, and what is wrong with them."""
    groups = [(path, list(group)) for path, group in groupby(rows, lambda row: row[0]) if path.startswith("in/")]
    found = dict(groups)
    blamed = {}
    for name in names:
        problem = _wrong(found.get(f"in/{name}", []), name)
        if problem:
            blamed[name] = problem
    order = [name for name in names if f"in/{name}" in found]
    if [path for path, _ in groups] != [f"in/{name}" for name in order]:
        blamed[names[0]] = "rows in another order than the files, or of files that there are not"
    return {name: found[f"in/{name}"] for name in order}, blamed


def _wrong(rows: list[tuple[str, ...]], name: str) -> str:
    """What is wrong with the rows of one file; empty if nothing is."""
    several = name.endswith((".idx", ".gz", ".tif"))  # a damaged TIFF may seem to have further pages
    indexes = [row[1] for row in rows]
    if indexes != [""] and (not several or indexes != [str(number) for number in range(len(rows))]):
        return f"{len(rows)} rows, with the indexes {indexes[:3]}"
    for _, _, _, prediction, confidence, status, error in rows:
        if error in IMPOSSIBLE or (error and error not in ERROR_CODES):
            return f"its error is {error}"
        if status != ("error" if error else "ok") or (prediction != "") == (error != ""):
            return f"status {status}, error {error!r}, prediction {prediction!r}"
        if not error and not (prediction in set("0123456789") and 0.1 <= float(confidence) <= 1):
            return f"prediction {prediction!r} with confidence {confidence}"
    return ""
