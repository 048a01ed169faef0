"""Mutated files of all formats through the real command: a row each, whatever they are; and that fuzzing finds bugs."""

import re
import subprocess
import sys
from random import Random

import pytest
from PIL import Image
from support.helpers import DEADLINE, ROOT, script

from batch_infer.decoding.decode import decode

slow = pytest.mark.slow
FAULTS = ROOT / "tests" / "support" / "faults"  # its sitecustomize.py gives the decoder faults that files order
SEED = 2026


@pytest.fixture
def fuzz():
    """The script, its modules beside it."""
    return script("fuzz")


@pytest.fixture
def faulty(fuzz, monkeypatch, tmp_path):
    """Give fuzz.py, in place of its own files, good ones and one that orders a fault; what it finds goes to `keep`."""
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
    good = tmp_path / "good.png"
    Image.radial_gradient("L").resize((28, 28)).save(good)

    def findings(fault: str, *arguments: str) -> list:
        files = {f"{number}.png": good.read_bytes() for number in range(8)} | {"5.png": f"FAULT {fault}".encode()}
        first = fuzz.Attack(files, lambda _: ["in", *arguments], beside={"many.idx": fuzz.MANY})
        monkeypatch.setattr(fuzz, "attacks", lambda _: iter([(first, False)]))
        return fuzz.fuzz(7, tmp_path / "keep")[1]

    return findings


@slow
def test_800_mutated_files_of_all_formats_are_a_row_each_and_nothing_else(tmp_path):
    command = [sys.executable, ROOT / "scripts" / "fuzz.py", "--rounds", "2", "--seed", str(SEED), "--keep", "keep"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=2 * DEADLINE, check=False)
    # Every finding in it names its seed and its file, which lies in the folder.
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nsaved in {tmp_path / 'keep'}"
    assert not (tmp_path / "keep").exists()
    files, rounds = re.search(r"^(\d+) files in (\d+) rounds; findings: 0$", done.stdout, re.MULTILINE).groups()
    assert (int(files), int(rounds)) == (884, 2)
    for kind in ("ok", "no_digit", "truncated", "unreadable", "not_an_image", "damaged_idx"):  # all parts were reached
        assert re.search(rf"\d\d {kind}[,;]", done.stdout), kind


def test_the_files_that_are_mutated_are_valid_before(fuzz):
    for kind, bases in fuzz.PICTURES.items():
        for base in bases:
            for seed in range(3):
                decode(base(Random(seed)), 0 if kind == "tif" else None)


def test_the_same_seed_makes_the_same_files_and_another_one_others(fuzz):
    first, again, other = (dict(fuzz.many_mutated(fuzz.PICTURES, 60, Random(seed))) for seed in (1, 1, 2))
    assert first == again
    assert len(set(first.values()) & set(other.values())) <= 2  # empty files may be
    assert {name.rpartition(".")[2] for name in first} == {"png", "jpg", "gif", "bmp", "tif", "webp", "pnm"}


@slow
@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("fail", "its error is internal_error"),
        ("segfault", "exit code -11; stderr ends with ''"),
        ("say", "on stderr, not of ours: 'libpng warning: bad text'"),
        ("leave", "files were left: tmp"),
    ],
)
def test_a_fault_is_found_and_its_file_alone_is_saved(faulty, tmp_path, fault, problem):
    (finding,) = faulty(fault)
    assert (finding.seed, finding.names, finding.problem[: len(problem)]) == (7, ["5.png"], problem)
    saved = tmp_path / "keep" / "seed-7-5.png"
    assert (saved / "5.png").read_bytes() == f"FAULT {fault}".encode()
    assert (
        (saved / "finding.txt").read_text().startswith("python scripts/fuzz.py --rounds 1 --seed 7\nbatch-infer in\n")
    )


@slow
@pytest.mark.skipif(sys.platform != "linux", reason="its workers are forked")
def test_what_only_costs_a_row_with_workers_is_found_by_comparing(fuzz, faulty, monkeypatch, tmp_path):
    assert faulty("segfault", "many.idx", "--workers", "2") == []  # a row, `unreadable`: that is the promise
    files = {"a.png": b"FAULT allocate", "b.png": b"no image"}
    ways = [
        (fuzz.Attack(files, lambda _: ["in"]), False),
        (fuzz.Attack(files, lambda _: ["in", "many.idx", "--workers", "2"], beside={"many.idx": fuzz.MANY}), True),
    ]
    monkeypatch.setattr(fuzz, "attacks", lambda _: iter(ways))
    (finding,) = fuzz.fuzz(7, tmp_path / "keep")[1]
    assert finding.names == ["a.png"]
    with_workers, without = finding.problem.split(" with workers, ")
    assert ("'too_large'" in with_workers, "'not_an_image'" in without) == (True, True)


@slow
@pytest.mark.parametrize(
    ("fault", "limit", "value", "problem"),
    [
        ("allocate", "MOST_MEMORY", 20, r"\d+ MB of memory; expected at most 20"),
        ("allocate", "MOST_CPU", (0.0, 0.0), r"\d+ s of CPU time for 8 files"),
        ("sleep", "DEADLINE", 5, r"still running after 5 s"),
    ],
)
def test_memory_and_time_are_watched(faulty, monkeypatch, fault, limit, value, problem):
    monkeypatch.setattr(f"fuzzing.watch.{limit}", value)
    (finding,) = faulty(fault)
    assert re.fullmatch(problem, finding.problem)


@pytest.mark.usefixtures("fuzz")
def test_rows_that_are_missing_or_senseless_are_found():
    rows = [
        ("in/a.png", "", "", "7", "0.900000", "ok", ""),
        ("in/c.png", "", "", "7", "0.900000", "error", "truncated"),
        ("in/d.png", "", "", "7", "1.900000", "ok", ""),
        ("in/e.idx", "1", "", "7", "0.900000", "ok", ""),
        ("in/f.png", "", "", "", "", "error", "vanished"),
    ]
    names = ["a.png", "b.png", "c.png", "d.png", "e.idx", "f.png"]
    assert sys.modules["fuzzing.watch"]._by_file(rows, names)[1] == {
        "b.png": "0 rows, with the indexes []",
        "c.png": "status error, error 'truncated', prediction '7'",
        "d.png": "prediction '7' with confidence 1.900000",
        "e.idx": "1 rows, with the indexes ['1']",
        "f.png": "its error is vanished",
    }
