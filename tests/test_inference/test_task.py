"""Damaged IDX files: one row instead of all their images."""

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.helpers import read_rows
from support.predictions import read_frame

from batch_infer import run_job
from batch_infer.errors import NoInputError
from batch_infer.inputs.arrays.idx import idx_bytes


def spoil_checksum(content: bytes) -> bytes:
    """Gzip data whose checksum at the very end is wrong."""
    content = bytearray(content)
    content[-8] ^= 1
    return bytes(content)


@pytest.fixture
def damaged(mnist, tmp_path):
    """Write damaged IDX files of 2,100 images, most of which are sound."""

    def write(kind: str):
        content = idx_bytes(mnist.images[:2_100])
        path = tmp_path / f"damaged-{kind}"
        path.write_bytes(
            {
                "plain": lambda: content[:-1],
                "trailing": lambda: content + b"\0",
                "checksum": lambda: spoil_checksum(gzip.compress(content, 1)),
                "cut": lambda: gzip.compress(content, 1)[:-20],
                "length": lambda: gzip.compress(content + b"\0", 1),
            }[kind]()
        )
        return path

    return write


DAMAGES = ["plain", "trailing", "checksum", "cut", "length"]

BAR = bytes(28 * 4) + (bytes(13) + b"\xff" * 3 + bytes(12)) * 20 + bytes(28 * 4)  # in MNIST's format
IDX = bytes.fromhex("00000803 00000002 0000001c 0000001c") + 2 * BAR


@pytest.mark.slow
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.integers(0, 15), st.integers(0, 255), st.booleans(), st.integers(-2, 2))
def test_whatever_an_idx_header_says_there_are_its_images_or_one_row(tmp_path_factory, at, byte, zipped, more):
    content = IDX[:at] + bytes([byte]) + IDX[at + 1 :]
    content = content[:more] if more < 0 else content + bytes(more)
    path = tmp_path_factory.getbasetemp() / "header"
    path.write_bytes(gzip.compress(content, 1) if zipped else content)
    try:
        run_job([path], out=path.with_suffix(".csv"), workers=1, report=False)
    except NoInputError:  # a header that says: no images
        assert content[4:8] == bytes(4)
        return
    found = [(row["index"], row["error"]) for row in read_rows(path.with_suffix(".csv"))]
    if content == IDX:
        assert found == [("0", ""), ("1", "")]
    else:
        assert found in ([("", "damaged_idx")], [("", "not_an_image")][: not zipped])


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_idx_file_alone_is_one_row_without_an_index(rows, damaged, kind):
    path = damaged(kind)
    assert rows(path) == [
        {
            "path": str(path), "index": "", "label": "", "prediction": "", "confidence": "",
            "status": "error", "error": "damaged_idx",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("out", ["p.csv", "p.csv.gz", "p.jsonl", "p.parquet"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_idx_file_leaves_the_rows_of_other_inputs_before_and_behind(
    damaged, shared_files, tmp_path, kind, out
):
    before, behind, path = shared_files / "few.idx", shared_files / "classes", damaged(kind)
    summary = run_job([before, path, behind], out=tmp_path / out, workers=1)
    found = read_frame(tmp_path / out)
    assert found["path"].tolist() == [
        *[str(before)] * 300, str(path), *sorted(str(file) for file in behind.rglob("*.png")),
    ]  # fmt: skip
    assert found["error"].fillna("").tolist() == [*[""] * 300, "damaged_idx", *[""] * 60]
    assert summary.tally.statuses.tolist() == [360, 0, 1]
    assert (summary.tally.labelled, summary.exit_code) == (60, 3)


def test_labels_of_a_damaged_idx_file_are_in_no_report(mnist, tmp_path):
    (tmp_path / "x-images-idx3-ubyte").write_bytes(spoil_checksum(gzip.compress(idx_bytes(mnist.images[:1_500]), 1)))
    (tmp_path / "x-labels-idx1-ubyte").write_bytes(idx_bytes(mnist.labels[:1_500]))
    run_job([tmp_path / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", workers=1)
    assert [path.name for path in tmp_path.glob("p.*.csv")] == ["p.history.csv"]
    assert json.loads((tmp_path / "p.run.json").read_text())["labels"] is None


def test_two_damaged_idx_files_in_a_row_are_two_rows(rows, damaged):
    assert [row["error"] for row in rows(damaged("checksum"), damaged("cut"))] == ["damaged_idx", "damaged_idx"]
