import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from batch_infer.errors import DamagedIdxError
from batch_infer.inputs.idx import IdxImages, idx_bytes, read_labels, sniff

TWO_IMAGES = bytes.fromhex("00000803 00000002 00000002 00000003") + bytes(range(12))
THREE_LABELS = bytes.fromhex("00000801 00000003") + bytes([7, 0, 9])


@pytest.fixture
def file(tmp_path):
    def write(content: bytes, name: str = "file") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


def damage(path: str) -> str:
    """What is said about a damaged image file, be it at opening or at reading."""
    with pytest.raises(DamagedIdxError) as caught:
        IdxImages(path).read_all()
    return str(caught.value)


def label_damage(path: str, count: int = 3) -> str:
    with pytest.raises(DamagedIdxError) as caught:
        read_labels(path, count)
    return str(caught.value)


def test_images_are_read_from_literal_bytes(file):
    images = IdxImages(file(TWO_IMAGES)).read_all()
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_gzip_is_told_by_content_and_not_by_name(file):
    images = IdxImages(file(gzip.compress(TWO_IMAGES), "no-suffix"))
    assert images.compressed
    assert images.read_all().tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_a_plain_file_named_gz_is_read_as_plain(file):
    assert not IdxImages(file(TWO_IMAGES, "file.gz")).compressed


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
    except DamagedIdxError:
        return
    assert images.ndim == 3


@settings(deadline=None, max_examples=100)
@given(st.one_of(st.binary(max_size=40), st.builds(lambda rest: b"\0\0\x08\x01" + rest, st.binary(max_size=20))))
def test_any_bytes_are_labels_or_damaged(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "property.idx"
    path.write_bytes(content)
    try:
        labels = read_labels(str(path), 3)
    except DamagedIdxError:
        return
    assert labels.shape == (3,)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (TWO_IMAGES, "idx"),
        (gzip.compress(TWO_IMAGES), "gzip"),
        (b"\x89PNG\r\n", None),
        (b"\0\0\x08", None),
        (b"", None),
    ],
)
def test_a_file_is_told_by_its_first_bytes(file, content, kind):
    assert sniff(file(content)) == kind


def test_an_empty_file_is_damaged(file):
    assert damage(file(b"")) == "not an IDX file: expected it to begin with 00 00, found nothing"


def test_another_magic_is_damaged(file):
    assert damage(file(b"\x89PNG\r\n\x1a\n")) == "not an IDX file: expected it to begin with 00 00, found 89 50 4e 47"


def test_gzip_of_something_else_is_damaged(file):
    assert damage(file(gzip.compress(b"hello"))) == (
        "not an IDX file: expected it to begin with 00 00, found 68 65 6c 6c"
    )


def test_a_header_that_is_cut_off_is_damaged(file):
    assert damage(file(TWO_IMAGES[:11])) == "the header is cut off: expected 3 dimensions"


def test_a_plain_file_that_is_cut_off_is_damaged(file):
    assert damage(file(TWO_IMAGES[:-1])) == "the header says 2 images, so 28 bytes; the file has 27"


def test_a_plain_file_with_trailing_bytes_is_damaged(file):
    assert damage(file(TWO_IMAGES + b"\n")) == "the header says 2 images, so 28 bytes; the file has 29"


def test_gzip_of_fewer_bytes_than_the_header_says_is_damaged(file):
    assert damage(file(gzip.compress(TWO_IMAGES[:-1]))) == "the data are cut off: fewer bytes than the header says"


def test_gzip_of_more_bytes_than_the_header_says_is_damaged(file):
    assert damage(file(gzip.compress(TWO_IMAGES + b"\0"))) == (
        "the header says 2 images; there are more bytes behind them"
    )


def test_gzip_that_is_cut_off_is_damaged(file):
    assert damage(file(gzip.compress(TWO_IMAGES)[:-10])).startswith("damaged gzip data: ")


def test_gzip_without_its_checksum_is_damaged(file):
    assert damage(file(gzip.compress(TWO_IMAGES)[:-8])).startswith("damaged gzip data: ")


def test_gzip_with_a_wrong_checksum_is_damaged(file):
    content = bytearray(gzip.compress(TWO_IMAGES))
    content[-8] ^= 1
    assert damage(file(bytes(content))).startswith("damaged gzip data: CRC check failed")


def test_gzip_that_claims_no_images_but_has_pixels_is_damaged(file):
    content = gzip.compress(TWO_IMAGES[:4] + bytes(4) + TWO_IMAGES[8:])
    assert damage(file(content)) == "the header says 0 images; there are more bytes behind it"


def test_gzip_with_garbage_behind_it_is_damaged(file):
    words = damage(file(gzip.compress(TWO_IMAGES) + b"garbage"))
    # zlib says the one, isal the other: it takes the garbage for the beginning of one more member.
    assert words.startswith(("damaged gzip data: Not a gzipped file", "damaged gzip data: Compressed file ended"))


def test_labels_given_as_images_are_damaged(file):
    assert damage(file(THREE_LABELS)) == "expected images (type 0x08, 3 dimensions), found labels (type 0x08)"


def test_images_given_as_labels_are_damaged(file):
    assert label_damage(file(TWO_IMAGES), 2) == (
        "expected labels (type 0x08, 1 dimension), found type 0x08, 3 dimensions"
    )


def test_images_of_another_type_are_damaged(file):
    content = b"\0\0\x0d\x03" + TWO_IMAGES[4:]
    assert damage(file(content)) == "expected images (type 0x08, 3 dimensions), found 3-dimensional data (type 0x0d)"


def test_labels_of_another_type_are_damaged(file):
    assert label_damage(file(b"\0\0\x0c\x01" + THREE_LABELS[4:])) == (
        "expected labels (type 0x08, 1 dimension), found type 0x0c, 1 dimensions"
    )


def test_label_ten_is_damaged(file):
    assert label_damage(file(THREE_LABELS[:-1] + b"\x0a")) == "label 10 at index 2; expected 0 to 9"


def test_label_255_is_damaged(file):
    assert label_damage(file(THREE_LABELS[:-1] + b"\xff")) == "label 255 at index 2; expected 0 to 9"


def test_a_negative_qmnist_label_is_damaged(file):
    content = struct.pack(">4B2I", 0, 0, 0x0C, 2, 1, 8) + struct.pack(">8i", -1, *[0] * 7)
    assert label_damage(file(content), 1) == "label -1 at index 0; expected 0 to 9"


def test_another_number_of_labels_than_of_images_is_damaged(file):
    assert label_damage(file(THREE_LABELS), 4) == "it has 3 labels for 4 images"


def test_labels_that_are_cut_off_are_damaged(file):
    assert label_damage(file(THREE_LABELS[:-1])) == "the header says 3 labels, so 3 data bytes; there are 2"


def test_labels_with_trailing_bytes_are_damaged(file):
    assert label_damage(file(THREE_LABELS + b"\1")) == "the header says 3 labels, so 3 data bytes; there are more"


def test_gzip_labels_with_a_wrong_checksum_are_damaged(file):
    content = bytearray(gzip.compress(THREE_LABELS))
    content[-8] ^= 1
    assert label_damage(file(bytes(content))).startswith("damaged gzip data: CRC check failed")


def test_images_without_pixels_are_damaged(file):
    content = bytes.fromhex("00000803 00000002 00000000 0000001c")
    assert damage(file(content)) == "the header says 0×28 pixels an image; expected 1 to 4096×4096"


def test_zero_images_are_an_empty_file_and_no_damage(file):
    assert IdxImages(file(bytes.fromhex("00000803 00000000 0000001c 0000001c"))).read_all().shape == (0, 28, 28)


def test_a_plain_header_that_claims_four_billion_images_is_refused_by_the_size_of_the_file(file):
    content = struct.pack(">4I", 0x803, 0xFFFFFFFF, 4096, 4096) + bytes(784)
    with pytest.raises(DamagedIdxError) as caught:
        IdxImages(file(content))
    assert str(caught.value) == ("the header says 4294967295 images, so 72057594021150736 bytes; the file has 800")


def test_a_header_that_claims_a_huge_picture_is_refused(file):
    content = gzip.compress(struct.pack(">4I", 0x803, 1, 0xFFFFFFFF, 0xFFFFFFFF) + bytes(784))
    with pytest.raises(DamagedIdxError) as caught:
        IdxImages(file(content))
    assert str(caught.value) == "the header says 4294967295×4294967295 pixels an image; expected 1 to 4096×4096"


def test_a_label_header_that_claims_four_billion_is_refused_by_the_expected_count(file):
    assert label_damage(file(gzip.compress(struct.pack(">2I", 0x801, 0xFFFFFFFF)))) == (
        "it has 4294967295 labels for 3 images"
    )


def test_a_gzip_header_that_claims_four_billion_images_costs_no_memory(file, program):
    path = file(gzip.compress(struct.pack(">4I", 0x803, 0xFFFFFFFF, 28, 28) + bytes(784)))
    done = program("limits.one_gigabyte", "chunks", path)
    assert (done.stderr[-300:], done.stdout) == ("", "['the data are cut off: fewer bytes than the header says']\n")


def test_reading_all_of_a_gzip_file_whose_header_claims_too_much_costs_no_memory(file, program):
    path = file(gzip.compress(struct.pack(">4I", 0x803, 60_000, 4096, 4096) + bytes(784)))
    done = program("limits.one_gigabyte", "all", path)
    assert (done.stderr[-300:], done.stdout) == ("", "the data are cut off: fewer bytes than the header says\n")


def test_a_plain_file_that_is_replaced_after_opening_is_damaged(file):
    path = file(TWO_IMAGES)
    images = IdxImages(path)
    Path(path).unlink()
    Path(path).write_bytes(TWO_IMAGES)
    Path(path).write_bytes(TWO_IMAGES + TWO_IMAGES)
    with pytest.raises(DamagedIdxError) as caught:
        images.read(0, 1)
    assert str(caught.value) == "the file was changed during the run"
