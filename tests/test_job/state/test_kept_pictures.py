"""Pictures of rows that --incremental does not classify again: the report shows them as if it had."""

import os
import sqlite3

import numpy as np
import pytest
from support.helpers import save_png
from support.report_page import ReportPage

from batch_infer import run_job
from batch_infer.inputs.arrays.idx import idx_bytes

OLD = 1_700_000_000


@pytest.fixture
def images(tmp_path, few):
    """A folder of pictures, half of them in another format than MNIST's, and an empty one."""
    for number, image in enumerate(few.images[:20]):
        save_png(
            tmp_path / "images" / f"{number:02d}.png",
            np.kron(255 - image, np.ones((2, 2), np.uint8)) if number % 2 else image,
        )
    save_png(tmp_path / "images" / "empty.png", np.full((50, 50), 200, np.uint8))
    return tmp_path / "images"


@pytest.fixture
def page(tmp_path):
    """Run a job with a state, and take its report without times and history."""

    def call(*inputs, out="p.csv", incremental=True, **options):
        (tmp_path / "p.history.csv").unlink(missing_ok=True)
        run_job(inputs, out=tmp_path / out, incremental=incremental, **{"workers": 1, **options})
        return ReportPage(tmp_path / "p.report.html").lasting

    return call


def kept(tmp_path):
    with sqlite3.connect(tmp_path / "p.state") as database:
        return database.execute("SELECT count(*) FROM pictures").fetchone()[0]


def test_the_report_is_that_of_a_full_run(page, images):
    full = page(images, incremental=False)
    assert page(images) == full
    assert page(images) == full
    assert "without a picture" not in full
    assert full.count("data:image/jpeg") == 11  # ten originals, and the empty picture


def test_so_it_is_for_files_of_many_images(page, tmp_path, few):
    for name, content in (("a.idx", few.images), ("b.idx", np.kron(few.images[:40], np.ones((1, 2, 2), np.uint8)))):
        (tmp_path / name).write_bytes(idx_bytes(content))
        os.utime(tmp_path / name, (OLD, OLD))
    inputs = [tmp_path / "a.idx", tmp_path / "b.idx"]
    full = page(*inputs, incremental=False)
    assert page(*inputs) == page(*inputs) == full


def test_a_changed_file_is_shown_as_it_is_now(page, images, few):
    page(images)
    save_png(images / "01.png", few.images[40])
    assert page(images) == page(images, incremental=False)


def test_another_file_never_gets_the_picture_of_one_that_is_gone(page, images, few):
    page(images)
    for name in ("19.png", "18.png", "17.png"):
        (images / name).unlink()
    page(images)
    save_png(images / "90.png", few.images[50])
    save_png(images / "91.png", few.images[51])
    assert page(images) == page(images, incremental=False)


def test_only_pictures_that_are_shown_are_kept(page, tmp_path, mnist):
    (tmp_path / "x.idx").write_bytes(idx_bytes(mnist.images[:6000]))
    page(tmp_path / "x.idx")
    assert kept(tmp_path) == 200


def test_private_pictures_are_not_kept(page, images, tmp_path):
    page(images)
    assert kept(tmp_path) == 20
    assert "data:image" not in page(images, report_pictures="none")
    assert kept(tmp_path) == 0


def test_a_row_whose_picture_is_not_there_is_listed_without_it(page, images):
    page(images, report_pictures="none")
    found = page(images)
    assert "images/00.png" in found
    assert found.count("data:image/jpeg") == 1  # the empty picture's: rows with an error are never taken over
    assert "20 rows without a picture: the answer is that of an earlier run" in found


@pytest.mark.parametrize("column", ["seen = x'00'", "seen = 7", "original = x'ffd8ff'", "position = 'x'"])
def test_a_damaged_picture_is_left_out(page, images, tmp_path, column):
    page(images)
    with sqlite3.connect(tmp_path / "p.state") as database:
        database.execute(f"UPDATE OR REPLACE pictures SET {column}")
    found = page(images)
    assert "images/00.png" in found
    assert found.count("data:image/jpeg") == 1


def test_a_state_of_a_version_without_pictures_is_used_on(page, images, tmp_path):
    page(images)
    with sqlite3.connect(tmp_path / "p.state") as database:
        database.execute("DROP TABLE pictures")
    assert "images/00.png" in page(images)
