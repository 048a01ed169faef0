"""IDX files: images and labels are read and written, and told by their first bytes."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from support.idx_files import THREE_LABELS, TWO_IMAGES

from batch_infer.errors import DamagedArrayError
from batch_infer.inputs.arrays.idx import IdxImages, idx_bytes
from batch_infer.inputs.arrays.idx_format import sniff
from batch_infer.inputs.labels.idx_files import read_labels


def test_images_are_read_from_literal_bytes(file):
    images = IdxImages(file(TWO_IMAGES)).read_all()
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_gzip_is_told_by_content_and_not_by_name(file):
    images = IdxImages(file(gzip.compress(TWO_IMAGES), "no-suffix"))
    assert images.sequential
    assert images.read_all().tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_a_plain_file_named_gz_is_read_as_plain(file):
    assert not IdxImages(file(TWO_IMAGES, "file.gz")).sequential


def test_a_slice_is_read_from_the_middle(file):
    assert IdxImages(file(TWO_IMAGES)).read(1, 1).tolist() == [[[6, 7, 8], [9, 10, 11]]]


def test_labels_are_read_from_literal_bytes(file):
    labels = read_labels(file(THREE_LABELS), 3)
    assert labels.dtype == np.int8
    assert labels.tolist() == [7, 0, 9]


def test_gzip_labels_are_read(file):
    assert read_labels(file(gzip.compress(THREE_LABELS)), 3).tolist() == [7, 0, 9]


def test_the_first_column_of_qmnist_labels_is_the_class(file):
    content = struct.pack(">4B2I", 0, 0, 0x0C, 2, 2, 8) + struct.pack(">16i", 5, 0, 2, 3, 4, 5, 6, 70000, 9, *[1] * 7)
    assert read_labels(file(content), 2).tolist() == [5, 9]


def test_writing_gives_the_literal_bytes():
    assert idx_bytes(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)) == TWO_IMAGES


def test_the_packaged_test_set_has_ten_thousand_images(mnist):
    assert mnist.images.shape == (10_000, 28, 28)
    assert np.bincount(mnist.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@settings(deadline=None, max_examples=40)
@given(
    arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)),
    st.booleans(),
    st.integers(1, 4),
)
def test_what_was_written_is_read_back(tmp_path_factory, array, compressed, chunk):
    path = tmp_path_factory.getbasetemp() / "property.idx"
    path.write_bytes(gzip.compress(idx_bytes(array)) if compressed else idx_bytes(array))
    images = IdxImages(str(path))
    assert np.array_equal(images.read_all(), array)
    if compressed:
        assert np.array_equal(np.concatenate(list(images.stream(chunk))), array)


@settings(deadline=None, max_examples=40)
@given(arrays(np.uint8, st.integers(0, 40), elements=st.integers(0, 9)))
def test_labels_that_were_written_are_read_back(tmp_path_factory, labels):
    path = tmp_path_factory.getbasetemp() / "property.idx"
    path.write_bytes(idx_bytes(labels))
    assert read_labels(str(path), len(labels)).tolist() == labels.tolist()


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=40),
        st.builds(lambda rest: b"\0\0\x08\x03" + rest, st.binary(max_size=40)),
        st.builds(lambda cut, rest: TWO_IMAGES[:cut] + rest, st.integers(0, 28), st.binary(max_size=8)),
        st.builds(
            lambda at, byte: bytes([*(zipped := gzip.compress(TWO_IMAGES, mtime=0))[:at], byte, *zipped[at + 1 :]]),
            st.integers(0, 30),
            st.integers(0, 255),
        ),
    )
)
def test_any_bytes_are_images_or_damaged(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "property.idx"
    path.write_bytes(content)
    try:
        images = IdxImages(str(path)).read_all()
    except DamagedArrayError:
        return
    assert images.ndim == 3


@settings(deadline=None, max_examples=100)
@given(st.one_of(st.binary(max_size=40), st.builds(lambda rest: b"\0\0\x08\x01" + rest, st.binary(max_size=20))))
def test_any_bytes_are_labels_or_damaged(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "property.idx"
    path.write_bytes(content)
    try:
        labels = read_labels(str(path), 3)
    except DamagedArrayError:
        return
    assert labels.shape == (3,)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (TWO_IMAGES, "idx"),
        (gzip.compress(TWO_IMAGES, mtime=0), "gzip"),
        (b"\x89PNG\r\n", None),
        (b"\0\0\x08", None),
        (b"", None),
    ],
)
def test_a_file_is_told_by_its_first_bytes(file, content, kind):
    assert sniff(file(content)) == kind
