"""What is laid where: links, copies and pictures; what moves, what stays, what is left alone."""

import gzip
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.helpers import save_png
from support.pictures import encoded
from support.sorting import lay
from support.tiff_files import tiff

from batch_infer.errors import OutputError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.job.sorting.files import WAYS

every_way = pytest.mark.parametrize("way", WAYS)


def pixels(path):
    return np.asarray(Image.open(path))


def test_files_are_linked_by_their_absolute_path(pngs, into, shown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pngs("a.png", "b.png", "c.png")
    assert lay(["./in"], "3 review error", into) == []
    assert shown() == {
        "3/a.png": f"{tmp_path}/in/a.png",
        "review/b.png": f"{tmp_path}/in/b.png",
        "error/c.png": f"{tmp_path}/in/c.png",
    }
    assert {path.name for path in into.iterdir()} == {*"0123456789", "review", "error", ".batch-infer-sorted"}


def test_hard_links_are_the_file_itself(pngs, into):
    root = pngs("a.png")
    lay([root], "3", into, "hardlink")
    assert os.path.samefile(root / "a.png", into / "3" / "a.png")
    assert not (into / "3" / "a.png").is_symlink()


def test_copies_are_files_of_their_own_with_the_time_of_the_original(pngs, into):
    root = pngs("a.png")
    os.utime(root / "a.png", ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    lay([root], "3", into, "copy")
    copied = into / "3" / "a.png"
    assert copied.read_bytes() == (root / "a.png").read_bytes()
    assert not os.path.samefile(root / "a.png", copied)
    assert copied.stat().st_mtime_ns == 1_600_000_000_123_456_789


def test_what_others_may_not_read_they_may_not_read_in_copies(pngs, few, into, tmp_path):
    root = pngs("a.png", "b.png")
    (root / "a.png").chmod(0o600)
    (root / "b.png").chmod(0o644)
    (tmp_path / "few.idx").write_bytes(idx_bytes(few.images[:1]))
    (tmp_path / "few.idx").chmod(0o400)
    lay([root, tmp_path / "few.idx"], "1 1 1", into, "copy")
    modes = {path.name: path.stat().st_mode & 0o777 for path in into.rglob("*.png")}
    assert modes == {"a.png": 0o600, "b.png": 0o644, "few.idx-000000.png": 0o400}


@every_way
def test_a_picture_that_changed_its_class_moves(pngs, into, shown, way):
    root = pngs("a.png", "b.png")
    lay([root], "3 4", into, way)
    before = shown()
    lay([root], "3 5", into, way)
    assert shown() == {"3/a.png": before["3/a.png"], "5/b.png": before["4/b.png"]}


@every_way
def test_what_is_right_is_not_touched(pngs, into, way):
    root = pngs("a.png", "b.png")
    (root.parent / "few.idx").write_bytes(idx_bytes(np.zeros((2, 28, 28), np.uint8)))
    inputs = [root, root.parent / "few.idx"]
    lay(inputs, "3 4 error error", into, way)
    before = {path: os.lstat(path) for path in into.rglob("*.png")}
    lay(inputs, "3 4 error error", into, way)
    assert len(before) == 4
    for path, status in before.items():
        assert (os.lstat(path).st_ino, os.lstat(path).st_ctime_ns) == (status.st_ino, status.st_ctime_ns)


@every_way
def test_the_picture_of_an_input_that_is_gone_is_removed(pngs, into, shown, way):
    root = pngs("a.png", "b.png")
    lay([root], "3 4", into, way)
    (root / "a.png").unlink()
    lay([root], "4", into, way)
    assert list(shown()) == ["4/b.png"]


@pytest.mark.parametrize("way", ["hardlink", "copy"])
def test_a_picture_whose_file_was_replaced_is_laid_anew(pngs, few, into, way):
    root = pngs("a.png")
    lay([root], "3", into, way)
    save_png(root / "new.png", few.images[9])
    os.replace(root / "new.png", root / "a.png")
    lay([root], "3", into, way)
    assert os.listdir(into / "3") == ["a.png"]
    np.testing.assert_array_equal(pixels(into / "3" / "a.png"), few.images[9])


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("then", WAYS)
def test_another_way_replaces_what_the_first_one_made(pngs, into, first, then):
    root = pngs("a.png")
    lay([root], "3", into, first)
    lay([root], "3", into, then)
    assert os.listdir(into / "3") == ["a.png"]
    placed = into / "3" / "a.png"
    assert placed.is_symlink() == (then == "symlink")
    assert os.path.samefile(placed, root / "a.png") == (then != "copy")


@every_way
def test_foreign_files_are_never_touched(pngs, into, shown, way):
    root = pngs("a.png", "b.png", "c.png")
    lay([root], "3 4 5", into, way)
    (into / "notes.txt").write_bytes(b"notes")
    (into / "more").mkdir()
    (into / "more" / "a.png").write_bytes(b"more")
    (into / "7" / "b.png").write_bytes(b"of somebody else")
    for name in ("3/a.png", "5/c.png"):  # in the place of ours
        (into / name).unlink()
        (into / name).write_bytes(b"mine")
    (into / "4" / "b.png").rename(into / "9" / "b.png")  # moved there by hand: it is no longer ours
    (into / "3" / "sub").mkdir()
    lay([root], "3 7 6", into, way)
    foreign = {
        "notes.txt": b"notes", "more/a.png": b"more", "7/b.png": b"of somebody else", "3/a.png": b"mine",
        "5/c.png": b"mine", "9/b.png": shown()["9/b.png"],
    }  # fmt: skip
    ours = {name: content for name, content in shown().items() if name not in foreign}
    assert {name: shown()[name] for name in foreign} == foreign
    assert [name[:4] for name in ours] == ["3/a-", "6/c.", "7/b-"]
    lay([root], "1 1 1", into, way)
    assert [name for name in shown() if name not in foreign] == ["1/a.png", "1/b.png", "1/c.png"]


@every_way
def test_a_folder_or_a_link_of_somebody_in_the_way_stays(pngs, into, way):
    root = pngs("a.png", "b.png")
    lay([root], "error error", into, way)
    (into / "3" / "a.png").mkdir()
    (into / "3" / "b.png").symlink_to("/nowhere")
    lay([root], "3 3", into, way)
    assert len(os.listdir(into / "3")) == 4
    assert (into / "3" / "a.png").is_dir()
    assert os.readlink(into / "3" / "b.png") == "/nowhere"
    assert os.listdir(into / "error") == []


def test_names_that_collide_get_the_same_hash_every_time(pngs, into, shown):
    root = pngs("x/a.png", "y/a.png", "z/a.png")
    lay([root], "3 3 4", into)
    first = shown()
    assert list(first) == [next(name for name in first if name.startswith("3/a-")), "3/a.png", "4/a.png"]
    assert first["3/a.png"] == f"{root}/x/a.png"
    lay([root], "3 3 3", into)
    third = next(name for name in shown() if name not in first)
    assert shown() == {name: target for name, target in first.items() if name[0] == "3"} | {third: f"{root}/z/a.png"}
    shutil.rmtree(into)
    lay([root], "3 3 3", into)
    assert shown()[third] == f"{root}/z/a.png"
    assert set(first) - {"4/a.png"} < set(shown())


def test_images_of_an_idx_file_become_png_files_of_the_same_pixels(few, into, tmp_path):
    path = tmp_path / "few.idx"
    path.write_bytes(idx_bytes(few.images[:3]))
    lay([path], "3 review error", into)
    for number, folder in enumerate(["3", "review", "error"]):
        np.testing.assert_array_equal(pixels(into / folder / f"few.idx-{number:06}.png"), few.images[number])


def test_images_of_arrays_and_tables_become_png_files(few, into, tmp_path):
    images = few.images[:2]
    np.save(tmp_path / "a.npy", images / 255.0)
    np.savez(tmp_path / "b.npz", x=images, y=images[::-1])
    header = ",".join(f"pixel{number}" for number in range(784))
    np.savetxt(tmp_path / "c.csv", images.reshape(2, 784), "%d", ",", header=header, comments="")
    (tmp_path / "d.idx.gz").write_bytes(gzip.compress(idx_bytes(images)))
    names = ["a.npy", "b.npz::y", "c.csv", "d.idx.gz"]
    lay([tmp_path / name for name in names], "0 1 " * 4, into)
    for folder, number in (("0", 0), ("1", 1)):
        for name in names:
            expected = images[1 - number] if "::" in name else images[number]
            found = into / folder / f"{name.replace('::', '-')}-{number:06}.png"
            np.testing.assert_array_equal(pixels(found), expected)


def test_a_table_of_files_gives_its_pngs_as_they_are_and_others_as_png(few, into, tmp_path):
    png, jpeg = encoded(few.images[0]), encoded(few.images[1], "JPEG")
    pq.write_table(pa.table({"image": pa.array([png, jpeg, b"broken", None])}), tmp_path / "t.parquet")
    assert lay([tmp_path / "t.parquet"], "1 2 error error", into) == []
    assert (into / "1" / "t.parquet-000000.png").read_bytes() == png
    assert pixels(into / "2" / "t.parquet-000001.png").shape == (28, 28)
    assert (into / "error" / "t.parquet-000002.bin").read_bytes() == b"broken"
    assert (into / "error" / "t.parquet-000003.bin").read_bytes() == b""


def test_pages_become_png_files_and_one_with_an_error_shows_the_whole_file(few, into, shown, tmp_path):
    (tmp_path / "scan.tif").write_bytes(tiff(*few.images[:3]))
    lay([tmp_path / "scan.tif"], "1 error 2", into)
    assert list(shown()) == ["1/scan.tif-000000.png", "2/scan.tif-000002.png", "error/scan.tif-000001.tif"]
    np.testing.assert_array_equal(pixels(into / "2" / "scan.tif-000002.png"), few.images[2])
    assert shown()["error/scan.tif-000001.tif"] == f"{tmp_path}/scan.tif"


def test_a_changed_idx_file_gives_new_pictures(few, into, tmp_path):
    path = tmp_path / "few.idx"
    path.write_bytes(idx_bytes(few.images[:2]))
    lay([path], "1 1", into)
    path.write_bytes(idx_bytes(few.images[2:3]))
    os.utime(path, (1, 1))
    lay([path], "1", into)
    assert os.listdir(into / "1") == ["few.idx-000000.png"]
    np.testing.assert_array_equal(pixels(into / "1" / "few.idx-000000.png"), few.images[2])


def test_a_damaged_file_of_many_is_in_error_itself(into, shown, tmp_path):
    (tmp_path / "few.idx").write_bytes(b"\0\0\x08\x03damaged")
    lay([tmp_path / "few.idx"], "error", into)
    assert shown() == {"error/few.idx": f"{tmp_path}/few.idx"}


@every_way
def test_what_is_gone_or_no_regular_file_is_left_out_with_a_notice(pngs, into, shown, way):
    root = pngs("a.png", "b.png", "c.png")
    (root / "b.png").unlink()
    os.mkfifo(root / "b.png")
    (notice,) = lay([root], "1 - 3", into, way)
    assert notice == (
        f"--sort-into {into}: 1 of the inputs left out, such as {root}/b.png: "
        "gone, changed, not readable, too large, or no regular file"
    )
    assert list(shown()) == ["1/a.png", "3/c.png"]


def test_a_file_that_no_input_may_be_as_large_as_is_not_copied(pngs, into, shown):
    root = pngs("a.png")
    with open(root / "b.png", "wb") as file:
        file.truncate(1 << 40)
    (root / "c.png").touch()
    (notice,) = lay([root], "1 error error", into, "copy")
    assert "1 of the inputs left out, such as " in notice
    assert list(shown()) == ["1/a.png", "error/c.png"]


def test_hostile_names_stay_names(tmp_path, into, shown):
    names = [
        b"in/-rf.png",
        b"in/=1.png",
        b"in/a\nb.png",
        b"in/\xff.png",
        b"in/x\xe2\x80\xae.png",
        b"in/" + b"y" * 250 + b".jpg",
    ]
    (tmp_path / "in").mkdir()
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    lay([tmp_path / "in"], "error " * 6, into)
    assert {os.fsencode(name)[6:] for name in shown()} == {name[3:] for name in names}


def test_a_name_that_is_taken_between_look_and_write_gets_a_hash(pngs, into, monkeypatch):
    root = pngs("a.png")
    lay([root], "error", into)
    real = os.path.lexists
    (into / "3" / "a.png").write_bytes(b"just made")
    monkeypatch.setattr(os.path, "lexists", lambda path: not str(path).endswith("/3/a.png") and real(path))
    lay([root], "3", into)
    assert (into / "3" / "a.png").read_bytes() == b"just made"
    assert len(os.listdir(into / "3")) == 2


def test_a_damaged_list_is_a_notice_and_links_are_found_again(pngs, into, shown):
    root = pngs("a.png", "b.png")
    lay([root], "3 4", into)
    before = shown()
    (into / ".batch-infer-sorted" / "list").write_bytes(b"no SQLite, " * 1000)
    assert lay([root], "3 4", into) == [
        f"--sort-into {into}: the list of its files was damaged; those of earlier runs are no longer removed"
    ]
    assert shown() == before
    assert lay([root], "3 5", into) == []
    assert list(shown()) == ["3/a.png", "5/b.png"]


def test_a_file_that_cannot_be_made_ends_it_and_the_next_run_completes_it(pngs, into, shown):
    root = pngs("a.png", "b.png")
    lay([root], "3 4", into)
    shutil.rmtree(into / "5")

    (into / "5").write_bytes(b"")
    with pytest.raises(OutputError) as caught:
        lay([root], "3 5", into)
    assert str(caught.value) == f"{into}/5: is no folder, and a folder of that name is needed; move it away"
    (into / "5").unlink()
    lay([root], "3 5", into)
    assert list(shown()) == ["3/a.png", "5/b.png"]
