"""--incremental: what is taken over, what is classified again, and that the result is that of a full run."""

import contextlib
import gzip
import logging
import os
import shutil
import sqlite3

import numpy as np
import pytest
from PIL import Image

from batch_infer.classifier import OnnxClassifier
from batch_infer.errors import InputLostError, OutputError, UsageError
from batch_infer.inference.task import ChunkResult
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.inputs.chunks import chunks
from batch_infer.inputs.discover import discover
from batch_infer.job.run import run_job
from batch_infer.job.state.incremental import State

OLD = 1_700_000_000


@pytest.fixture
def images(tmp_path, few):
    """A folder of pictures."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate(few.images[:20]):
        save(folder / f"{number:02d}.png", image)
    return folder


def save(path, image, time=OLD):
    Image.fromarray(image).save(path)
    os.utime(path, (time, time))


@pytest.fixture
def classified(monkeypatch):
    """How many images the model saw, of all runs so far."""
    counted = []
    original = OnnxClassifier.predict_proba
    monkeypatch.setattr(
        OnnxClassifier,
        "predict_proba",
        lambda self, images, **options: counted.append(len(images)) or original(self, images, **options),
    )
    return counted


def incremental(folder, tmp_path, **options):
    return run_job([folder], out=tmp_path / "p.csv", incremental=True, workers=1, **options)


def full_bytes(folder, tmp_path, **options):
    run_job([folder], out=tmp_path / "full.csv", workers=1, **options)
    return (tmp_path / "full.csv").read_bytes()


def test_what_did_not_change_is_not_classified_again(images, tmp_path, classified):
    incremental(images, tmp_path)
    first = (tmp_path / "p.csv").read_bytes()
    incremental(images, tmp_path)
    assert classified == [20]
    assert (tmp_path / "p.csv").read_bytes() == first == full_bytes(images, tmp_path)


def test_new_changed_and_vanished_files_give_the_result_of_a_full_run(images, tmp_path, few, classified):
    incremental(images, tmp_path)
    save(images / "05.png", few.images[30], OLD + 1)
    save(images / "99.png", few.images[31])
    (images / "07.png").unlink()
    incremental(images, tmp_path)
    assert classified == [20, 2]
    assert (tmp_path / "p.csv").read_bytes() == full_bytes(images, tmp_path)
    with sqlite3.connect(tmp_path / "p.state") as database:
        assert database.execute("SELECT count(*) FROM known").fetchone() == (20,)


def test_a_file_replaced_by_another_of_the_same_size_and_time_is_classified_again(images, tmp_path, classified):
    incremental(images, tmp_path)
    shutil.copy2(images / "06.png", images / "other")
    os.replace(images / "other", images / "06.png")
    incremental(images, tmp_path)
    assert classified == [20, 1]


def test_errors_are_tried_again(images, tmp_path, few, classified):
    (images / "bad.png").write_bytes(b"not yet")
    assert incremental(images, tmp_path).exit_code == 3
    assert incremental(images, tmp_path).exit_code == 3
    save(images / "bad.png", few.images[40])
    assert incremental(images, tmp_path).exit_code == 0
    assert classified == [21, 1, 1]


def test_files_that_were_just_written_are_not_trusted(images, tmp_path, classified, monkeypatch):
    monkeypatch.setattr("batch_infer.job.state.incremental._YOUNG", 10**12)
    incremental(images, tmp_path)
    incremental(images, tmp_path)
    assert classified == [20, 20]


def test_thresholds_and_probabilities_are_computed_afresh(images, tmp_path, classified):
    incremental(images, tmp_path)
    incremental(images, tmp_path, min_confidence=0.999, probabilities=True)
    assert classified == [20]
    expected = full_bytes(images, tmp_path, min_confidence=0.999, probabilities=True)
    assert (tmp_path / "p.csv").read_bytes() == expected


def test_another_fit_starts_anew_and_says_so(images, tmp_path, classified, caplog):
    incremental(images, tmp_path)
    with caplog.at_level(logging.WARNING, "batch_infer"):
        incremental(images, tmp_path, fit="never")
    assert classified == [20, 20]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/p.state: the state is of another model, version or --fit; everything is classified again"
    ]


def test_a_damaged_state_starts_anew_and_says_so(images, tmp_path, classified, caplog):
    incremental(images, tmp_path)
    content = (tmp_path / "p.state").read_bytes()
    (tmp_path / "p.state").write_bytes(b"no SQLite format" + content[16:])
    with caplog.at_level(logging.WARNING, "batch_infer"):
        incremental(images, tmp_path)
    assert classified == [20, 20]
    assert caplog.records[0].getMessage() == f"{tmp_path}/p.state: the state is damaged; everything is classified again"
    incremental(images, tmp_path)
    assert classified == [20, 20]


def test_a_state_that_turns_out_damaged_in_the_midst_of_a_run_starts_anew_and_says_so(
    images, tmp_path, few, classified, caplog
):
    for number in range(280):  # of more than one page
        save(images / f"more-{number:03}.png", few.images[20 + number])
    incremental(images, tmp_path)
    content = bytearray((tmp_path / "p.state").read_bytes())
    content[3 * 4096 :] = b"\xaa" * (len(content) - 3 * 4096)
    (tmp_path / "p.state").write_bytes(content)
    with caplog.at_level(logging.WARNING, "batch_infer"):
        assert incremental(images, tmp_path).exit_code == 0
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == f"{tmp_path}/p.state: the state is damaged; everything is classified again"
    assert (tmp_path / "p.csv").read_bytes() == full_bytes(images, tmp_path)
    before = len(classified)
    incremental(images, tmp_path)
    assert len(classified) == before


@pytest.mark.parametrize("values", [(-1, 1_000_001), (2_000_000, 0), (7, 0)])
def test_what_cannot_be_probabilities_is_not_taken_over(images, tmp_path, classified, values):
    incremental(images, tmp_path)
    expected = (tmp_path / "p.csv").read_bytes()
    with sqlite3.connect(tmp_path / "p.state") as database:
        row = np.array([*values, *[0] * 8], np.int32).tobytes()
        database.execute("UPDATE known SET ppm = ? WHERE CAST(path AS TEXT) LIKE '%05.png'", (row,))
        database.execute("UPDATE known SET ppm = x'00' WHERE CAST(path AS TEXT) LIKE '%06.png'")
    database.close()
    incremental(images, tmp_path)
    assert classified == [20, 2]
    assert (tmp_path / "p.csv").read_bytes() == expected


def test_a_state_that_another_program_has_open_is_exit_6_and_stays(images, tmp_path, monkeypatch):
    incremental(images, tmp_path)
    before = (tmp_path / "p.state").read_bytes()
    real = sqlite3.connect
    monkeypatch.setattr(
        "batch_infer.job.state.incremental.sqlite3.connect", lambda *given, **more: real(*given, timeout=0.01, **more)
    )
    with contextlib.closing(real(tmp_path / "p.state", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OutputError) as caught:
            incremental(images, tmp_path)
    assert str(caught.value) == f"{tmp_path}/p.state: another program has it open; close that, or wait"
    assert (tmp_path / "p.state").read_bytes() == before


@pytest.mark.parametrize("name", ["x.idx", "x.idx.gz"])
def test_idx_files_are_taken_over_too(tmp_path, few, classified, name):
    path = tmp_path / name
    path.write_bytes(idx_bytes(few.images))
    if name.endswith(".gz"):
        os.rename(path, tmp_path / "plain")
        os.system(f"gzip -c {tmp_path}/plain > {path}")
    incremental(path, tmp_path, orientation="upright")  # else a sample is looked at each time
    incremental(path, tmp_path, orientation="upright")
    assert classified == [300]
    assert (tmp_path / "p.csv").read_bytes() == full_bytes(path, tmp_path)


def known(tmp_path):
    """How many files and chunks of files the state knows."""
    with contextlib.closing(sqlite3.connect(tmp_path / "p.state")) as database:
        return database.execute("SELECT count(*) FROM known").fetchone()[0]


def test_nothing_of_a_damaged_gzip_file_is_classified_or_remembered(tmp_path, few, classified):
    content = bytearray(gzip.compress(idx_bytes(np.tile(few.images, (20, 1, 1)))))
    content[-5] ^= 1  # of the length, behind all data
    (tmp_path / "x.gz").write_bytes(content)
    for _ in range(2):
        assert incremental(tmp_path / "x.gz", tmp_path).exit_code == 3
        assert known(tmp_path) == 0
    assert classified == [1, 1]  # the black image of the row that tells of the damage


@pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, 1)], ids=["plain", "gzip"])
def test_an_idx_file_that_is_replaced_in_mid_run_is_not_known_by_the_results_of_the_old_one(tmp_path, mnist, pack):
    path, other = tmp_path / "x.idx", tmp_path / "other.idx"
    path.write_bytes(pack(idx_bytes(mnist.images[:9_000])))
    other.write_bytes(pack(idx_bytes(mnist.images[8_999::-1])))
    with pytest.raises(InputLostError, match=f"^{path}: was changed during the run; "):
        incremental(path, tmp_path, progress=lambda *_: other.exists() and other.replace(path))
    assert known(tmp_path) == 1  # the first chunk, of the old file: what was learnt stays
    assert not (tmp_path / "p.csv").exists()
    assert incremental(path, tmp_path).exit_code == 0
    assert known(tmp_path) == 3
    assert (tmp_path / "p.csv").read_bytes() == full_bytes(path, tmp_path)


def test_results_are_stored_by_their_keys_in_whatever_order_they_come(tmp_path, mnist):
    (tmp_path / "x.idx").write_bytes(idx_bytes(mnist.images[:9_000]))
    inventory = discover([os.fspath(tmp_path / "x.idx")])
    state = State(str(tmp_path / "state"), {}, print)
    waiting = list(state.lookup(chunks(inventory)))
    for number, chunk in reversed(list(enumerate(waiting))):
        ppm = np.zeros((len(chunk.labels), 10), np.int32)
        ppm[:, number] = 1_000_000
        state.store(ChunkResult(probabilities_ppm=ppm, keys=chunk.keys))
    found = [chunk.cached_ppm for chunk in state.lookup(chunks(inventory))]
    state.close()
    assert [set(ppm.argmax(axis=1).tolist()) for ppm in found] == [{0}, {1}, {2}]


def test_no_input_leaves_the_state_alone(images, tmp_path):
    incremental(images, tmp_path)
    before = (tmp_path / "p.state").read_bytes()
    (tmp_path / "empty").mkdir()
    with pytest.raises(Exception, match="no image found"):
        incremental(tmp_path / "empty", tmp_path)
    assert (tmp_path / "p.state").read_bytes() == before


def test_incremental_needs_out(images):
    with pytest.raises(UsageError, match="--incremental needs --out"):
        run_job([images], incremental=True)
