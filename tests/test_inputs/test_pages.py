"""TIFF files of several pages: a row for each page, whichever way the job runs."""

import os

import numpy as np
import pytest
from PIL import Image
from support.helpers import read_rows
from support.tiff_files import tiff

from batch_infer import run_job
from batch_infer.errors import UsageError
from batch_infer.inputs.chunks import CHUNK, chunks, count_chunks, image_name
from batch_infer.inputs.discover import discover
from batch_infer.inputs.pages import count_pages


@pytest.fixture
def scans(few, tmp_path):
    """A folder of a PNG, a TIFF of twelve pages, and one of a single page."""
    root = tmp_path / "in"
    root.mkdir()
    Image.fromarray(few.images[20]).save(root / "a.png")
    (root / "b.tif").write_bytes(tiff(*few.images[:12]))
    Image.fromarray(few.images[21]).save(root / "c.TIFF", compression="tiff_lzw")
    return root


def cells(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def test_each_page_is_a_row_and_a_single_page_has_no_index(scans, rows):
    found = rows(scans)
    assert [os.path.basename(row["path"]) for row in found] == ["a.png", *["b.tif"] * 12, "c.TIFF"]
    assert [row["index"] for row in found] == ["", *map(str, range(12)), ""]
    assert {row["status"] for row in found} == {"ok"}


def test_a_page_gets_what_its_picture_gets_from_an_idx_file(scans, rows, few_idx):
    pages = rows(scans / "b.tif")
    names = ("index", "prediction", "confidence", "status")
    assert cells(pages, *names) == cells(rows(few_idx, out="idx.csv")[:12], *names)


def test_content_decides_for_an_argument_whatever_its_name(scans, rows):
    os.rename(scans / "b.tif", scans / "b.png")
    os.rename(scans / "c.TIFF", scans / "c.jpg")
    assert len(rows(scans / "b.png")) == 12
    assert cells(rows(scans / "c.jpg"), "index", "status") == [("", "ok")]


def test_in_a_folder_a_tiff_under_another_name_is_read_or_a_row_that_says_what_to_do(scans, rows):
    os.rename(scans / "b.tif", scans / "b.png")
    os.rename(scans / "c.TIFF", scans / "c.png")
    assert cells(rows(scans), "index", "error") == [("", ""), ("", "not_an_image"), ("", "")]


def test_another_format_named_tif_is_what_it_is(few, tmp_path, rows):
    Image.fromarray(few.images[0]).save(tmp_path / "x.tif", "PNG")
    assert cells(rows(tmp_path / "x.tif"), "index", "status") == [("", "ok")]


@pytest.mark.parametrize("out", ["out.csv", "out.csv.gz", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize("options", [{"workers": 2}, {"incremental": True}])
def test_every_way_gives_the_same_bytes(scans, tmp_path, out, options, monkeypatch):
    monkeypatch.setattr("batch_infer.job.run._SMALL_JOB", 0)
    monkeypatch.setattr("batch_infer.inputs.chunks.CHUNK", 5)  # pages of one file in several chunks
    for path in scans.iterdir():
        os.utime(path, (1, 1))
    run_job([scans], out=tmp_path / f"first-{out}", report=False, workers=1)
    expected = (tmp_path / f"first-{out}").read_bytes()
    for _ in range(2):
        run_job([scans], out=tmp_path / out, report=False, probabilities=False, **{"workers": 1, **options})
        assert (tmp_path / out).read_bytes() == expected


def test_the_state_knows_each_page_and_forgets_those_that_are_gone(scans, few, tmp_path, monkeypatch):
    monkeypatch.setattr("batch_infer.job.state.incremental._YOUNG", 0)
    out = tmp_path / "p.csv"

    def run():
        run_job([scans], out=out, report=False, workers=1, incremental=True)
        return read_rows(out)

    whole = run()
    monkeypatch.setattr("batch_infer.inference.load.decode", lambda *_: pytest.fail("read again"))
    assert run() == whole
    monkeypatch.undo()
    monkeypatch.setattr("batch_infer.job.state.incremental._YOUNG", 0)
    (scans / "b.tif").write_bytes(tiff(*few.images[50:53]))
    assert [row["index"] for row in run()] == ["", "0", "1", "2", ""]
    import sqlite3

    with sqlite3.connect(tmp_path / "p.state") as state:
        assert state.execute("SELECT start FROM known ORDER BY start").fetchall() == [(-1,), (-1,), (0,), (1,), (2,)]


def test_a_file_that_loses_pages_while_the_job_runs_has_rows_that_say_so(scans, few):
    from batch_infer.inference.load import load

    (chunk,) = chunks(discover([os.fspath(scans / "b.tif")]))
    (scans / "b.tif").write_bytes(tiff(*few.images[:10]))
    loaded = load(chunk, np.arange(12), "auto")
    assert np.count_nonzero(loaded.error_numbers) == 2
    detail = "TIFF: the file changed during the run, it has fewer pages now"
    assert loaded.errors == [(f"{scans}/b.tif[{page}]", "unreadable", detail) for page in (10, 11)]


def test_a_damaged_page_is_one_row(scans, few, rows):
    whole = tiff(*few.images[:3])
    (scans / "b.tif").write_bytes(tiff(*few.images[:3], following=len(whole) * 2))
    assert cells(rows(scans / "b.tif"), "index", "error") == [("0", ""), ("1", ""), ("2", ""), ("3", "truncated")]


def test_more_than_a_hundred_pages_are_one_row(tmp_path, few, rows):
    (tmp_path / "x.tif").write_bytes(tiff(*few.images[:100]))
    assert len(rows(tmp_path / "x.tif")) == 100
    (tmp_path / "x.tif").write_bytes(tiff(*few.images[:101]))
    assert cells(rows(tmp_path / "x.tif"), "index", "error") == [("", "too_large")]


def test_folders_named_after_digits_label_every_page(tmp_path, few, rows):
    for digit in (0, 7):
        (tmp_path / "in" / str(digit)).mkdir(parents=True)
        (tmp_path / "in" / str(digit) / "x.tif").write_bytes(tiff(*few.images[:3]))
    assert [row["label"] for row in rows(tmp_path / "in")] == ["0"] * 3 + ["7"] * 3


def test_a_labels_table_names_pages_by_their_index(scans, tmp_path, rows):
    table = tmp_path / "labels.csv"
    table.write_text(f"path,index,label\n{scans}/b.tif,3,5\nb.tif,11,6\n{scans}/b.tif,12,1\n{scans}/c.TIFF,,4\n")
    found = rows(scans, labels=table)
    assert {(row["index"], row["label"]) for row in found if row["label"]} == {("3", "5"), ("11", "6"), ("", "4")}


def test_a_labels_table_that_does_not_say_which_page_is_wrong_usage(scans, tmp_path, rows):
    table = tmp_path / "labels.csv"
    table.write_text(f"path,label\n{scans}/b.tif,5\n")
    with pytest.raises(UsageError) as caught:
        rows(scans, labels=table)
    assert str(caught.value) == (
        f"--labels {table}, line 2: {scans}/b.tif has several pages; expected a column index that says which (from 0)"
    )


def test_our_own_predictions_name_pages(scans, tmp_path, rows):
    first = rows(scans)
    text = (tmp_path / "rows.csv").read_text().splitlines()
    table = tmp_path / "corrected.csv"
    label = [f"{line.split(',')[0]},{line.split(',')[1]},{number % 10}" for number, line in enumerate(text[1:])]
    table.write_text("\n".join(["path,index,label", *label]) + "\n")
    found = rows(scans, labels=table, out="again.csv")
    assert [row["label"] for row in found] == [str(number % 10) for number in range(len(first))]


def test_pages_are_counted_as_rows_across_chunks(tmp_path):
    picture = np.full((2, 2), 9, np.uint8)
    for number in range(30):
        (tmp_path / f"{number:02}.tif").write_bytes(tiff(*[picture] * (1 + number * 3)))
    inventory = discover([os.fspath(tmp_path)])
    parts = list(chunks(inventory))
    assert inventory.total == 30 + 3 * 435
    assert [len(part.labels) for part in parts] == [CHUNK, inventory.total - CHUNK]
    assert count_chunks(inventory) == 2
    names = [image_name(part, row) for part in parts for row in range(len(part.labels))]
    assert names == [
        f"{tmp_path}/{number:02}.tif" + (f"[{page}]" if number else "")
        for number in range(30)
        for page in range(1 + number * 3)
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0+" + b"\xff" * 30, b"\x89PNG", b"II*\0\x08\0\0\0\xff\xff"],
)
def test_what_cannot_be_counted_is_one_row(file, content):
    assert count_pages(file(content, "x.tif")) == 1


def test_counting_opens_no_special_file_and_follows_no_missing_one(tmp_path):
    os.mkfifo(tmp_path / "x.tif")
    assert count_pages(os.fspath(tmp_path / "x.tif")) == 1
    assert count_pages(os.fspath(tmp_path / "gone.tif")) == 1
