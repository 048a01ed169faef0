"""What people have in a folder of photos: which files are rows, which are skipped, and how that is told."""

import json
import os

import pytest
from PIL import Image
from support.helpers import save_png

from batch_infer import run_job
from batch_infer.decoding import suffixes
from batch_infer.errors import NoInputError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.inputs.discover import discover

READ = ["tif", "TIFF", "jpe", "JFIF", "pjpeg", "mpo", "dib", "apng", "pfm"]


@pytest.fixture
def without_heic(monkeypatch):
    """As on a machine without the extra."""
    suffixes.is_readable.cache_clear()
    monkeypatch.setitem(suffixes._LIBRARIES, ".heic", "no_such_library")
    yield
    suffixes.is_readable.cache_clear()


def names(root) -> list[str]:
    return [os.path.relpath(path, root) for path in discover([os.fspath(root)]).file_paths()]


@pytest.mark.parametrize("suffix", READ)
def test_other_suffixes_of_formats_that_are_read_are_inputs(tree, suffix):
    assert names(tree(f"x.{suffix}")) == [f"x.{suffix}"]


@pytest.mark.parametrize("suffix", ["heic", "HEIF", "hif", "avif", "jp2", "j2k", "JXL", "jxr"])
def test_a_photo_is_a_row_also_where_it_cannot_be_read(tree, suffix):
    assert names(tree(f"x.{suffix}")) == [f"x.{suffix}"]


@pytest.mark.usefixtures("without_heic")
@pytest.mark.parametrize("beside", ["IMG_1.jpg", "IMG_1.PNG", "IMG_1.tif"])
def test_a_photo_that_cannot_be_read_is_skipped_beside_its_readable_double(tree, beside):
    root = tree("IMG_1.HEIC", beside, "IMG_2.HEIC", "IMG_3.jxl", "other/IMG_2.jpg")
    assert sorted(names(root)) == sorted([beside, "IMG_2.HEIC", "IMG_3.jxl", "other/IMG_2.jpg"])
    assert discover([os.fspath(root)]).skipped.suffixes == {".heic": 1}


def test_a_photo_that_can_be_read_is_a_row_beside_its_double(tree, monkeypatch):
    suffixes.is_readable.cache_clear()
    monkeypatch.setitem(suffixes._LIBRARIES, ".heic", "json")
    assert names(tree("IMG_1.HEIC", "IMG_1.jpg", "IMG_1.jp2")) == ["IMG_1.HEIC", "IMG_1.jpg"]
    suffixes.is_readable.cache_clear()


def test_a_photo_that_cannot_be_read_says_what_to_do(pngs, run):
    root = pngs("a.png")
    Image.new("L", (28, 28)).save(root / "b.jp2")
    done = run(root, "--out", "p.csv")
    assert done.code == 3
    assert done.stderr.splitlines() == [
        f"batch-infer: {root}/b.jp2: not_an_image (JPEG 2000, which is not read; save it as PNG or JPEG)",
        "batch-infer: 1 of 2 inputs could not be read (1 not_an_image); they are rows with status=error",
    ]


@pytest.mark.parametrize(
    "folder",
    ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "@Recycle", "#snapshot", "@tmp",
     "@Recently-Snapshot", "$Recycle.Bin", "RECYCLER", ".Trash-1000", ".snapshot", ".thumbnails"],
)  # fmt: skip
def test_shadow_folders_of_nas_and_systems_are_skipped_and_counted(tree, folder):
    root = tree("a.png", f"{folder}/b.png", f"sub/{folder}/c.png", "sub/d.png")
    inventory = discover([os.fspath(root)])
    assert [os.path.relpath(path, root) for path in inventory.file_paths()] == ["a.png", "sub/d.png"]
    assert inventory.skipped.reasons == {"hidden" if folder[0] == "." else "system_folder": 2}


def test_a_shadow_folder_given_as_an_argument_is_an_input(tree):
    root = tree("#recycle/b.png", "#recycle/@eaDir/b.png")
    assert names(root / "#recycle") == ["b.png"]


def test_what_is_skipped_is_named_by_suffix(pngs, tmp_path):
    root = pngs("a.png")
    for name in ("1.pdf", "2.PDF", "3.svg", "4.cr2", "README", "x.some long ending", "5.txt", "6.csv", "7.nef"):
        (root / name).touch()
    summary = run_job([root], out=tmp_path / "p.csv", workers=1)
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert account["skipped"] == {"other_suffix": 9}
    assert account["skipped_suffixes"] == {
        ".pdf": 2, ".cr2": 1, ".csv": 1, ".nef": 1, ".svg": 1, ".txt": 1, "none": 1, "other": 1,
    }  # fmt: skip
    assert list(account["skipped_suffixes"]) == [".pdf", ".cr2", ".csv", ".nef", ".svg", ".txt", "none", "other"]
    assert " · skipped 2 .pdf, 1 .cr2, 1 .csv, 1 .nef, 1 .svg, 3 more · " in summary.line()


def test_nothing_skipped_is_not_mentioned(pngs, tmp_path):
    summary = run_job([pngs("a.png")], out=tmp_path / "p.csv", workers=1)
    assert " · skipped" not in summary.line()
    assert json.loads((tmp_path / "p.run.json").read_text())["skipped_suffixes"] == {}


def test_many_suffixes_take_no_memory(tree):
    root = tree("a.png", *(f"x.{number:05}" for number in range(1100)))
    kinds = discover([os.fspath(root)]).skipped.suffixes
    assert (len(kinds), kinds["other"]) == (1001, 100)


def test_idx_files_in_folders_are_named_in_one_notice_that_stays_the_same(pngs, few, tmp_path, run):
    root = pngs("a.png", folder="data")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte", "other.csv"):
        (raw / name).write_bytes(idx_bytes(few.images[:3]))
    notice = (
        "2 IDX files in folders are not read; to classify the images of one, name it as an INPUT: "
        "data/MNIST/raw/t10k-images.idx3-ubyte"
    )
    assert run("data", "--out", "p.csv").stderr == f"batch-infer: {notice}\n"
    assert json.loads((tmp_path / "p.run.json").read_text())["notices"] == [notice]
    assert run("data", "--out", "p.csv").stderr == ""
    assert run("data/MNIST/raw/t10k-images.idx3-ubyte", "--out", "q.csv").code == 0


def test_a_folder_of_idx_files_alone_says_how_to_give_them(tmp_path, few, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("raw")
    with open("raw/x.idx", "wb") as file:
        file.write(idx_bytes(few.images[:3]))
    with pytest.raises(NoInputError) as caught:
        run_job(["raw"], out="p.csv")
    assert str(caught.value) == (
        "no image found in raw; an IDX file in a folder is not read; to classify the images of one, "
        "name it as an INPUT: raw/x.idx"
    )


def test_a_folder_of_nothing_but_other_files_is_no_lost_disk(tree):
    root = tree("in/a.pdf", "in/.b.png", "in/lost+found/x.png")
    with pytest.raises(NoInputError) as caught:
        run_job([root / "in"])
    assert str(caught.value) == (
        f"no image found in {root}/in (skipped: 1 .pdf, 1 hidden, 1 system folder); "
        "nothing was published, what was there stays"
    )


def test_heic_photos_get_predictions_where_the_extra_is_installed(few, tmp_path, rows):
    heif = pytest.importorskip("pillow_heif")
    root = tmp_path / "in"
    save_png(root / "a.png", few.images[0])
    heif.from_pillow(Image.fromarray(few.images[0]).convert("RGB").resize((280, 280))).save(root / "b.heic")
    assert [row["prediction"] for row in rows(root)] == ["7", "7"]
