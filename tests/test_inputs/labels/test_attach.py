"""Labels of IDX files: beside them, from a file that the user names, and everything that does not fit."""

import gzip
import os
import struct

import numpy as np
import pytest
from support.labels import labels_of, refusal

from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.inputs.discover import discover
from batch_infer.inputs.labels.attach import attach_labels

THREE = idx_bytes(np.array([7, 2, 1], np.uint8))


@pytest.mark.parametrize(
    ("images", "sibling", "content"),
    [
        ("x-images-idx3-ubyte", "x-labels-idx1-ubyte", THREE),
        ("x-images-idx3-ubyte.gz", "x-labels-idx1-ubyte.gz", gzip.compress(THREE, mtime=0)),
        ("x-images-idx3-ubyte", "x-labels-idx1-ubyte.gz", gzip.compress(THREE, mtime=0)),
        ("x-images-idx3-ubyte.gz", "x-labels-idx1-ubyte", THREE),
        ("x-images.idx3-ubyte", "x-labels.idx1-ubyte", THREE),
        (
            "qmnist-test-images-idx3-ubyte",
            "qmnist-test-labels-idx2-int",
            struct.pack(">4B2I", 0, 0, 0x0C, 2, 3, 8) + struct.pack(">24i", 7, *[0] * 7, 2, *[0] * 7, 1, *[0] * 7),
        ),
    ],
)
def test_labels_beside_an_idx_file_are_found_by_name(idx, tmp_path, images, sibling, content):
    path = idx(images)
    (tmp_path / sibling).write_bytes(content)
    assert labels_of(path) == [7, 2, 1]


def test_an_idx_file_by_another_name_has_no_labels_beside_it(idx):
    assert labels_of(idx("digits", x_labels_idx1_ubyte=THREE)) == [-1, -1, -1]


def test_labels_of_another_count_beside_an_idx_file_are_wrong_usage(idx):
    path = idx(x_labels_idx1_ubyte=idx_bytes(np.array([7, 2], np.uint8)))
    assert refusal(path) == (
        f"labels {path.parent}/x-labels-idx1-ubyte do not fit {path}: it has 2 labels for 3 images; "
        "name another file with --labels FILE, or go without: --labels none"
    )


def test_damaged_labels_beside_an_idx_file_are_wrong_usage(idx):
    assert "there are 2; name another file" in refusal(idx(x_labels_idx1_ubyte=THREE[:-1]))


def test_none_ignores_the_labels_beside_an_idx_file(idx):
    assert labels_of(idx(x_labels_idx1_ubyte=b"damaged"), labels="none") == [-1, -1, -1]


def test_an_idx_label_file_labels_the_one_idx_input(idx, table):
    assert labels_of(idx(), labels=table(THREE, "other.idx")) == [7, 2, 1]


def test_an_idx_label_file_wins_entirely(idx, pngs, table):
    path = idx(x_labels_idx1_ubyte=idx_bytes(np.array([0, 0, 0], np.uint8)))
    assert labels_of(path, pngs("7/a.png"), labels=table(THREE, "other.idx")) == [7, 2, 1, -1]


def test_an_idx_label_file_counts_as_labels(idx, table):
    inventory = discover([os.fspath(idx())])
    attach_labels(inventory, os.fspath(table(THREE, "other.idx")), pytest.fail)
    assert inventory.labelled


def test_an_idx_label_file_without_an_idx_input_is_wrong_usage(pngs, table):
    path = table(THREE, "other.idx")
    assert refusal(pngs("a.png"), labels=path) == (
        f"--labels {path}: an IDX label file needs exactly one IDX INPUT; there are 0"
    )


def test_an_idx_label_file_with_two_idx_inputs_is_wrong_usage(idx, table):
    path = table(THREE, "other.idx")
    assert refusal(idx(), idx("y"), labels=path) == (
        f"--labels {path}: an IDX label file needs exactly one IDX INPUT; there are 2"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (idx_bytes(np.array([7, 2, 1, 0], np.uint8)), "it has 4 labels for 3 images"),
        (idx_bytes(np.array([7, 2, 10], np.uint8)), "label 10 at index 2; expected 0 to 9"),
        (THREE + b"\0", "the header says 3 labels, so 3 data bytes; there are more"),
    ],
)
def test_an_idx_label_file_that_does_not_fit_is_wrong_usage(idx, table, content, reason):
    path, images = table(content, "other.idx"), idx()
    assert refusal(images, labels=path) == (
        f"labels {path} do not fit {images}: {reason}; "
        "name another file with --labels FILE, or go without: --labels none"
    )


def test_images_given_as_labels_are_wrong_usage(idx):
    path = idx()
    assert "expected labels (type 0x08, 1 dimension)" in refusal(path, labels=path)


def test_a_missing_labels_file_is_wrong_usage(pngs, tmp_path):
    path = tmp_path / "gone.csv"
    assert refusal(pngs("a.png"), labels=path) == f"--labels {path}: cannot be read: No such file or directory"


def test_a_folder_as_labels_file_is_wrong_usage(pngs, tmp_path):
    assert refusal(pngs("a.png"), labels=tmp_path) == f"--labels {tmp_path}: cannot be read: Is a directory"
