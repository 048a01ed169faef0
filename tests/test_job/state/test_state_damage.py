"""A damaged state is a notice, a full run and a new state: never the end of the run, never a wrong row."""

import logging
import os
import sqlite3

import numpy as np
import pytest

from batch_infer.job.run import run_job

OLD = 1_700_000_000
FLIPS = 100
DAMAGED = "{}/p.state: the state is damaged; everything is classified again"
OTHER = "{}/p.state: the state is of another model, version or --fit; everything is classified again"


@pytest.fixture
def job(pngs, tmp_path):
    """A run with a state → the folder, the predictions, the state."""
    folder = pngs(*(f"{number:03}.png" for number in range(150)))
    for path in folder.iterdir():
        os.utime(path, (OLD, OLD))
    run_job([folder], out=tmp_path / "p.csv", incremental=True, workers=1)
    return folder, (tmp_path / "p.csv").read_bytes(), (tmp_path / "p.state").read_bytes()


def again(folder, tmp_path):
    """Run once more → exit code, notices, predictions."""
    summary = run_job([folder], out=tmp_path / "p.csv", incremental=True, workers=1)
    return summary.exit_code, list(summary.notices), (tmp_path / "p.csv").read_bytes()


@pytest.mark.slow
def test_flipped_bits_anywhere_give_the_right_rows_and_a_state_that_works(job, tmp_path):
    folder, expected, state = job
    random = np.random.default_rng(7)
    noticed = 0
    for round_number in range(FLIPS):
        content = bytearray(state)
        # Half of the damage in the first page: header and schema are what SQLite trusts most.
        places = random.integers(0, 4096 if round_number % 2 else len(content), int(random.integers(1, 6)))
        for place in places.tolist():
            content[place] ^= 1 << int(random.integers(0, 8))
        (tmp_path / "p.state").write_bytes(content)
        for ending in ("-journal", "-wal", "-shm"):
            (tmp_path / f"p.state{ending}").unlink(missing_ok=True)
        code, notices, predictions = again(folder, tmp_path)
        assert (code, predictions) == (0, expected), places
        assert notices in ([], [DAMAGED.format(tmp_path)], [OTHER.format(tmp_path)])
        noticed += bool(notices)
        if notices:
            assert again(folder, tmp_path) == (0, [], expected)
    assert FLIPS / 10 < noticed < FLIPS


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE known",
        "ALTER TABLE known DROP COLUMN token",
        "ALTER TABLE known RENAME COLUMN checksum TO other",
        "DELETE FROM fingerprint",
        "DROP TABLE fingerprint",
        "UPDATE known SET ppm = 'text', token = NULL",
        "UPDATE known SET checksum = checksum + 1",
        "PRAGMA journal_mode = WAL",
    ],
)
def test_a_state_of_another_schema_is_replaced(job, tmp_path, change):
    folder, expected, _ = job
    database = sqlite3.connect(tmp_path / "p.state", isolation_level=None)
    try:
        database.execute("PRAGMA ignore_check_constraints = 1")
        database.execute(change)
    except sqlite3.IntegrityError:
        pass  # the schema itself refuses that change: nothing to see
    finally:
        database.close()
    code, _, predictions = again(folder, tmp_path)
    assert (code, predictions) == (0, expected)
    assert again(folder, tmp_path) == (0, [], expected)


@pytest.mark.parametrize("size", [0, 1, 99, 4096, 10_000])
def test_a_state_that_is_cut_off_is_replaced(job, tmp_path, size):
    folder, expected, state = job
    (tmp_path / "p.state").write_bytes(state[:size])
    code, _, predictions = again(folder, tmp_path)
    assert (code, predictions) == (0, expected)
    assert again(folder, tmp_path) == (0, [], expected)


def test_rows_that_changed_places_are_not_believed(job, tmp_path):
    folder, expected, _ = job
    database = sqlite3.connect(tmp_path / "p.state", isolation_level=None)
    first, second = database.execute("SELECT id, ppm FROM known ORDER BY id LIMIT 2").fetchall()
    database.execute("UPDATE known SET ppm = ? WHERE id = ?", (second[1], first[0]))
    database.execute("UPDATE known SET ppm = ? WHERE id = ?", (first[1], second[0]))
    database.close()
    assert again(folder, tmp_path) == (0, [], expected)


def test_the_fingerprint_names_the_version_of_the_normalization(job, tmp_path, monkeypatch, caplog):
    folder, expected, _ = job
    monkeypatch.setattr("batch_infer.job.run.NORMALIZATION_VERSION", 1_000)
    with caplog.at_level(logging.WARNING, "batch_infer"):
        code, notices, predictions = again(folder, tmp_path)
    assert (code, predictions) == (0, expected)
    assert notices == [
        f"{tmp_path}/p.state: the state is of another model, version or --fit; everything is classified again"
    ]
    assert [record.getMessage() for record in caplog.records] == notices


@pytest.mark.parametrize("far", [5 * 10**8, 4 * 10**18])
def test_ids_that_grew_over_the_years_take_no_memory(job, tmp_path, far):
    folder, expected, _ = job
    with sqlite3.connect(tmp_path / "p.state") as database:
        database.execute("UPDATE known SET id = id + ?", (far,))
    database.close()
    (folder / "000.png").rename(folder / "150.png")
    gone = expected.replace(b"000.png", b"150.png")
    assert again(folder, tmp_path)[:2] == (0, [])
    with sqlite3.connect(tmp_path / "p.state") as database:
        assert database.execute("SELECT count(*) FROM known").fetchone() == (150,)
    database.close()
    assert sorted((tmp_path / "p.csv").read_bytes().splitlines()) == sorted(gone.splitlines())
