"""Chunks: how inputs are cut, in which order, and how they are counted without being made."""

import gzip
import os

import numpy as np
import pytest

from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.inputs.arrays.source import MAX_CHUNK_IMAGES
from batch_infer.inputs.chunks import CHUNK, ArrayChunk, FileChunk, chunks, count_chunks
from batch_infer.inputs.discover import discover
from batch_infer.inputs.labels.attach import attach_labels


def test_files_are_cut_into_chunks_of_1024_across_folders(tree):
    root = tree(*(f"{number % 3}/{number:05}.png" for number in range(CHUNK + 10)))
    sizes = [len(chunk.paths) for chunk in chunks(discover([os.fspath(root)]))]
    assert sizes == [1024, 10]


def test_labels_by_folders_stay_with_their_files_across_chunks(tree):
    root = tree(*(f"{number % 3}/{number:05}.png" for number in range(CHUNK + 10)))
    inventory = discover([os.fspath(root)])
    attach_labels(inventory, "auto", pytest.fail)
    for chunk in chunks(inventory):
        assert [int(path.split("/")[-2]) for path in chunk.paths] == chunk.labels.tolist()


@pytest.mark.parametrize("name", ["few.idx", "few.idx.gz"])
def test_chunks_of_an_idx_file_are_its_images_in_order(shared_files, few, name):
    parts = [part for part in chunks(discover([os.fspath(shared_files / name)])) if isinstance(part, ArrayChunk)]
    assert np.array_equal(np.concatenate([part.read() for part in parts]), few.images)


def test_inputs_of_different_kinds_are_different_chunks(tree, few):
    root = tree("a.png", "b.png")
    (root / "x.idx").write_bytes(idx_bytes(few.images[:2]))
    inventory = discover([os.fspath(root / name) for name in ("a.png", "x.idx", "b.png")])
    assert [type(chunk) for chunk in chunks(inventory)] == [FileChunk, ArrayChunk, FileChunk]


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 1])
def test_chunks_of_files_are_counted_without_making_them(tree, count):
    inventory = discover([os.fspath(tree("none/x.txt", *(f"{number % 3}/{number}.png" for number in range(count))))])
    assert count_chunks(inventory) == len(list(chunks(inventory)))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "shape",
    [
        (0, 28, 28), (1, 28, 28), (MAX_CHUNK_IMAGES, 28, 28), (MAX_CHUNK_IMAGES + 1, 28, 28),
        (3 * MAX_CHUNK_IMAGES, 2, 2), (100, 500, 400), (0, 0, 0), (2, 4096, 4096), (1, 4096, 4096),
    ],
)  # fmt: skip
def test_chunks_of_idx_files_are_counted_without_making_them(tmp_path, shape, pack):
    (tmp_path / "x").write_bytes(pack(idx_bytes(np.zeros(shape, np.uint8))))
    inventory = discover([os.fspath(tmp_path / "x")])
    assert count_chunks(inventory) == len(list(chunks(inventory)))


def test_chunks_of_inputs_of_all_kinds_are_counted_without_making_them(tree, few):
    root = tree(*(f"a/{number}.png" for number in range(CHUNK)), "b/b.png", "c.png", "d.png", "e.png")
    (root / "x.idx").write_bytes(idx_bytes(few.images))
    (root / "y.idx").write_bytes(idx_bytes(few.images)[:-1])
    (root / "z.gz").write_bytes(gzip.compress(idx_bytes(few.images)[:9]))
    (root / "b" / "link.png").symlink_to("/dev/null")
    names = ["x.idx", "a", "b", "c.png", "y.idx", "z.gz", "d.png", "e.png"]
    inventory = discover([os.fspath(root / name) for name in names])
    made = list(chunks(inventory))
    assert [len(chunk.labels) for chunk in made] == [300, 1024, 3, 1, 1, 2]
    assert count_chunks(inventory) == len(made)


def test_an_input_that_folders_label_has_chunks_of_its_own(tree):
    root = tree("one/a.png", "two/3/a.png", "two/3/b.png", "three/a.png", "four/a.png")
    inventory = discover([os.fspath(root / name) for name in ("one", "two", "three", "four")])
    attach_labels(inventory, "auto", pytest.fail)
    made = list(chunks(inventory))
    assert [len(chunk.labels) for chunk in made] == [1, 2, 2]
    assert count_chunks(inventory) == 3
