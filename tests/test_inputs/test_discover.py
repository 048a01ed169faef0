"""Inputs: what is found, in which order, what is passed over, and what is refused."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from support.helpers import save_png

from batch_infer.errors import UsageError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.inputs.chunks import FileChunk, chunks
from batch_infer.inputs.discover import discover
from batch_infer.inputs.inventory import ArrayInput, Inventory


def found(*inputs: os.PathLike[str] | str, below: Path) -> list[str]:
    """The paths of the image files in order, relative to a folder."""
    return [os.path.relpath(path, below) for path in discover(map(os.fspath, inputs)).file_paths()]


def faults(inventory: Inventory) -> dict[str, str]:
    """The code of each file that is known to be unusable, by the name of the file."""
    return {
        os.path.basename(chunk.paths[row]): code
        for chunk in chunks(inventory)
        if isinstance(chunk, FileChunk)
        for row, (code, _) in chunk.errors.items()
    }


def refusal(*inputs: os.PathLike[str] | str) -> str:
    with pytest.raises(UsageError) as caught:
        discover(map(os.fspath, inputs))
    return str(caught.value)


def test_files_and_folders_come_together_by_the_bytes_of_their_names_depth_first(tree):
    root = tree("b.png", "a/z.png", "a/b/c.png", "a.png", "a-b.png", "B.png", "ä.png", "10.png", "9.png", "c/a.png")
    assert found(root, below=root) == [
        "10.png", "9.png", "B.png", "a/b/c.png", "a/z.png", "a-b.png", "a.png", "b.png", "c/a.png", "ä.png",
    ]  # fmt: skip


def test_names_that_are_not_utf_8_have_their_place_by_their_bytes(tree):
    root = tree(b"\xff.png", "ä.png", b"\x80.png", "z.png")
    assert [os.fsencode(name) for name in found(root, below=root)] == [
        b"z.png", b"\x80.png", "ä.png".encode(), b"\xff.png",
    ]  # fmt: skip


def test_inputs_keep_the_order_in_which_they_were_given(tree):
    root = tree("b/1.png", "a/2.png", "c.png")
    assert found(root / "c.png", root / "b", root / "a", below=root) == ["c.png", "b/1.png", "a/2.png"]


def test_paths_are_the_argument_joined_with_the_relative_path(tree, monkeypatch):
    monkeypatch.chdir(tree("in/a/x.png"))
    assert list(discover(["in"]).file_paths()) == ["in/a/x.png"]
    assert list(discover(["in/"]).file_paths()) == ["in/a/x.png"]
    assert list(discover(["./in"]).file_paths()) == ["./in/a/x.png"]


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "Jpeg", "bmp", "gif", "webp", "pgm", "ppm", "pbm", "pnm"])
def test_files_with_the_suffix_of_an_image_are_inputs_in_any_case(tree, suffix):
    root = tree(f"x.{suffix}")
    assert found(root, below=root) == [f"x.{suffix}"]


def test_what_is_passed_over_is_counted_by_reason(tree):
    root = tree("x.png", ".hidden.png", ".git/x.png", "__MACOSX/x.png", "notes.txt", "x", "preds.csv", "png")
    os.symlink(root, root / "linked")
    inventory = discover([os.fspath(root)])
    assert inventory.total == 1
    assert inventory.skipped.reasons == {"hidden": 3, "other_suffix": 4, "linked_folder": 1}


def test_idx_files_inside_folders_are_not_read(tree, few):
    root = tree("x.png")
    (root / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(few.images[:3]))
    inventory = discover([os.fspath(root)])
    assert (inventory.total, inventory.skipped.reasons) == (1, {"other_suffix": 1})


def test_a_path_given_as_an_argument_is_an_input_whatever_its_name(tree):
    root = tree(".hidden", "notes.txt")
    assert found(root / ".hidden", root / "notes.txt", below=root) == [".hidden", "notes.txt"]


def test_an_idx_argument_is_told_by_content_and_counts_its_images(tmp_path, few):
    path = tmp_path / "digits.png"
    path.write_bytes(idx_bytes(few.images[:3]))
    inventory = discover([os.fspath(path)])
    assert isinstance(inventory.entries[0], ArrayInput)
    assert inventory.total == 3


def test_a_damaged_idx_argument_counts_as_one(tmp_path, few):
    path = tmp_path / "digits"
    path.write_bytes(idx_bytes(few.images[:3])[:-1])
    assert discover([os.fspath(path)]).total == 1


def test_a_link_to_a_file_inside_the_same_input_is_followed(tree):
    root = tree("a/x.png")
    os.symlink("a/x.png", root / "l.png")
    inventory = discover([os.fspath(root)])
    assert (inventory.total, faults(inventory)) == (2, {})


def test_a_link_to_a_file_outside_the_input_is_not_regular(tree):
    root = tree("in/x.png", "out/y.png")
    os.symlink("../out/y.png", root / "in" / "l.png")
    assert faults(discover([os.fspath(root / "in")])) == {"l.png": "not_regular"}


def test_a_link_into_a_folder_whose_name_begins_like_the_input_is_outside(tree):
    root = tree("in/x.png", "in2/y.png")
    os.symlink("../in2/y.png", root / "in" / "l.png")
    assert faults(discover([os.fspath(root / "in")])) == {"l.png": "not_regular"}


def test_a_link_to_nothing_is_not_regular(tree):
    root = tree("x.png")
    os.symlink("gone.png", root / "l.png")
    assert faults(discover([os.fspath(root)])) == {"l.png": "not_regular"}


def test_links_that_go_in_a_circle_are_not_regular(tree):
    root = tree("x.png")
    os.symlink("m.png", root / "l.png")
    os.symlink("l.png", root / "m.png")
    assert faults(discover([os.fspath(root)])) == {"l.png": "not_regular", "m.png": "not_regular"}


def test_a_linked_folder_is_passed_over_even_if_it_leads_to_itself_or_the_root(tree):
    root = tree("a/x.png")
    os.symlink(".", root / "a" / "loop")
    os.symlink("/", root / "a" / "root.png")
    inventory = discover([os.fspath(root)])
    assert (inventory.total, inventory.skipped.reasons) == (1, {"linked_folder": 2})


def test_an_input_that_is_itself_a_link_is_followed(tree):
    root = tree("real/x.png")
    os.symlink("real", root / "given")
    assert found(root / "given", below=root) == ["given/x.png"]


@pytest.mark.slow
def test_five_thousand_nested_folders_are_walked_as_far_as_a_path_may_be_long():
    root = tempfile.mkdtemp()  # not below pytest's folder: shutil.rmtree, which clears that up, cannot go so deep
    try:
        descriptor = os.open(root, os.O_RDONLY)
        for _ in range(5_000):  # step by step, as the whole path is too long to be named
            os.mkdir("d", dir_fd=descriptor)
            inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        os.close(descriptor)
        inventory = discover([root])
        assert [code for chunk in chunks(inventory) for code, _ in chunk.errors.values()] == ["unreadable"]
    finally:
        subprocess.run(["rm", "-rf", root], check=True)


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_a_special_file_is_not_regular_as_argument(tmp_path, kind, rows):
    path = tmp_path / "x.png"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.fspath(path))
    else:
        path = Path("/dev/null")
    assert [row["error"] for row in rows(path)] == ["not_regular"]


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_a_special_file_is_not_regular_in_a_folder(pngs, kind, rows):
    root = pngs("a.png")
    if kind == "fifo":
        os.mkfifo(root / "b.png")
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.fspath(root / "b.png"))
    assert [row["error"] for row in rows(root)] == ["", "not_regular"]


def test_a_folder_or_file_without_permission_is_a_row_with_an_error(few, program):
    import batch_infer.classifier

    with tempfile.TemporaryDirectory() as name:  # not below pytest's folder, which is its owner's alone
        folder = Path(name)
        for image in ("a.png", "locked/b.png", "secret.png", "z.png"):
            save_png(folder / "in" / image, few.images[0])
        shutil.copy(batch_infer.classifier.BUNDLED_MODEL, folder / "model.onnx")
        (folder / "out").mkdir()
        modes = {"": 0o755, "in": 0o755, "out": 0o777, "model.onnx": 0o644, "in/secret.png": 0, "in/locked": 0}
        for path, mode in modes.items():
            (folder / path).chmod(mode)
        done = program("limits.as_nobody", folder, save_png(folder / "warm" / "a.png", few.images[0]))
        (folder / "in" / "locked").chmod(0o755)
        code, _, content = done.stdout.partition(" ")
        assert code == "3"
        cells = [line.split(",") for line in content.replace('"', "").strip().splitlines()[1:]]
        assert [(os.path.relpath(cell[0], folder / "in"), cell[-1]) for cell in cells] == [
            ("a.png", ""), ("locked", "no_permission"), ("secret.png", "no_permission"), ("z.png", ""),
        ]  # fmt: skip


def test_a_missing_input_is_wrong_usage(tmp_path):
    path = tmp_path / "gone"
    assert refusal(path) == f"{path}: no such file or folder; check the INPUT"


def test_an_input_that_is_a_link_to_nothing_is_missing(tmp_path):
    os.symlink("gone", tmp_path / "l.png")
    assert refusal(tmp_path / "l.png") == f"{tmp_path}/l.png: no such file or folder; check the INPUT"


@pytest.mark.parametrize("name", ["x" * 1_000_000, "x" * 300 + ".png", "a/" * 500_000 + "b.png"])
def test_a_name_longer_than_names_may_be_is_wrong_usage_at_once(name):
    assert refusal(name) == f"{name[:200]}…: no such file or folder, as the name is too long; check the INPUT"


def test_an_input_given_twice_is_wrong_usage(tree):
    root = tree("x.png")
    assert refusal(root / "x.png", root / "x.png") == f"{root}/x.png: given twice (also as {root}/x.png)"


def test_an_input_given_twice_by_other_spellings_is_wrong_usage(tree):
    root = tree("a/x.png")
    os.symlink("a", root / "l")
    assert refusal(root / "a" / "x.png", f"{root}/./a/../l/x.png").endswith(f"given twice (also as {root}/a/x.png)")


@pytest.mark.parametrize("order", [1, -1])
def test_an_input_inside_another_is_wrong_usage(tree, order):
    root = tree("a/b/x.png")
    assert refusal(*[root / "a", root / "a" / "b" / "x.png"][::order]) == (
        f"{root}/a/b/x.png: lies inside another INPUT ({root}/a); its images would be counted twice"
    )


def test_folders_whose_names_begin_alike_do_not_overlap(tree):
    root = tree("a/x.png", "a-b/x.png", "ab/x.png", "a.png")
    assert len(found(root / "a", root / "a-b", root / "ab", root / "a.png", below=root)) == 4


def test_overlap_is_seen_with_another_input_between(tree):
    root = tree("a/x.png", "a-b/x.png")
    assert "lies inside another INPUT" in refusal(root / "a", root / "a-b", root / "a" / "x.png")


def test_everything_lies_inside_the_root_folder(tree):
    root = tree("x.png")
    assert refusal("/", root) == f"{root}: lies inside another INPUT (/); its images would be counted twice"
