"""Damaged IDX files: each with the words that are said about it, and at no cost in memory."""

import gzip
import os
import struct
import sys

import pytest
from support.idx_files import THREE_LABELS, TWO_IMAGES, damage, label_damage

from batch_infer.errors import STAYS, DamagedArrayError, InputLostError
from batch_infer.inputs.arrays.idx import IdxImages


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
    assert damage(file(content)) == "the header says 0 images; there are more bytes behind them"


def test_gzip_with_garbage_behind_it_is_damaged(file):
    words = damage(file(gzip.compress(TWO_IMAGES) + b"garbage"))
    # zlib says the one, isal the other: it takes the garbage for the beginning of one more member.
    assert words.startswith(("damaged gzip data: Not a gzipped file", "damaged gzip data: Compressed file ended"))


@pytest.mark.parametrize("end", [b"", b"\0"])
def test_gzip_whose_header_has_a_name_that_does_not_end_is_damaged(file, end):
    header = b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 600_000 + end
    assert damage(file(header)).startswith("damaged gzip data: ")
    assert label_damage(file(header), 3).startswith("damaged gzip data: ")


def test_labels_given_as_images_are_damaged(file):
    assert damage(file(THREE_LABELS)) == "expected images (type 0x08, 3 dimensions), found labels (type 0x08)"


def test_images_given_as_labels_are_damaged(file):
    assert label_damage(file(TWO_IMAGES), 2) == (
        "expected labels (type 0x08, 1 dimension), found type 0x08, 3 dimensions"
    )


def test_images_of_another_type_are_damaged(file):
    content = b"\0\0\x0d\x03" + TWO_IMAGES[4:]
    assert damage(file(content)) == "expected images (type 0x08, 3 dimensions), found 3-dimensional data (type 0x0d)"


def test_images_whose_rows_were_put_one_behind_the_other_get_a_hint(file):
    assert damage(file(struct.pack(">2H2I", 0, 0x802, 2, 784) + bytes(1568))) == (
        "expected images (type 0x08, 3 dimensions), found 2-dimensional data (type 0x08); "
        "flattened digits? reshape them to (N, 28, 28)"
    )


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
    with pytest.raises(DamagedArrayError) as caught:
        IdxImages(file(content))
    assert str(caught.value) == ("the header says 4294967295 images, so 72057594021150736 bytes; the file has 800")


def test_a_header_that_claims_a_huge_picture_is_refused(file):
    content = gzip.compress(struct.pack(">4I", 0x803, 1, 0xFFFFFFFF, 0xFFFFFFFF) + bytes(784))
    with pytest.raises(DamagedArrayError) as caught:
        IdxImages(file(content))
    assert str(caught.value) == "the header says 4294967295×4294967295 pixels an image; expected 1 to 4096×4096"


def test_a_label_header_that_claims_four_billion_is_refused_by_the_expected_count(file):
    assert label_damage(file(gzip.compress(struct.pack(">2I", 0x801, 0xFFFFFFFF)))) == (
        "it has 4294967295 labels for 3 images"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit of memory is not enforced")
@pytest.mark.parametrize("shape", [(0xFFFFFFFF, 28, 28), (60_000, 4096, 4096)])
def test_a_gzip_header_that_claims_too_much_costs_no_memory(file, program, shape):
    done = program("limits.one_gigabyte", file(gzip.compress(struct.pack(">4I", 0x803, *shape) + bytes(784))))
    words = "the data are cut off: fewer bytes than the header says"
    assert (done.stderr[-300:], done.stdout) == ("", f"[{{0: ('damaged_idx', '{words}')}}]\n")


def test_no_more_of_a_gzip_file_is_inflated_than_one_byte_beyond_what_its_header_says(file):
    # Behind the image stand three more, and no checksum: whoever inflates them sees the end of the file.
    content = gzip.compress(struct.pack(">4I", 0x803, 1, 1024, 1024) + bytes(4 << 20), 0)[: (4 << 20) - 100]
    assert damage(file(content)) == "the header says 1 images; there are more bytes behind them"


CHANGED = "; nothing was published, what was there stays; run again when nothing writes to it"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_file_that_is_replaced_after_the_check_ends_the_run(file, pack):
    path = file(pack(TWO_IMAGES))
    images = IdxImages(path)
    os.replace(file(pack(TWO_IMAGES), "other"), path)
    with pytest.raises(InputLostError) as caught:
        images.read_all()
    assert str(caught.value) == f"{path}: was changed during the run{CHANGED}"


def test_a_file_that_is_written_to_while_it_is_read_was_changed(file):
    path = file(gzip.compress(TWO_IMAGES))
    images = IdxImages(path)
    stream = images.stream(1)
    next(stream)
    file(gzip.compress(TWO_IMAGES)[:-8] + b"rewritten")
    with pytest.raises(InputLostError) as caught:
        list(stream)
    assert str(caught.value) == f"{path}: was changed during the run{CHANGED}"


def test_a_second_pass_over_a_gzip_file_that_finds_other_bytes_ends_the_run(file):
    path = file(gzip.compress(TWO_IMAGES))
    images = IdxImages(path)
    status = os.stat(path)
    with open(path, "r+b") as content:
        content.seek(-8, os.SEEK_END)
        content.write(b"oops")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a bad sector would not change it
    with pytest.raises(InputLostError, match="cannot be read any more: damaged gzip data: CRC check failed"):
        images.read_all()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_file_that_vanishes_after_the_check_ends_the_run(file, pack):
    path = file(pack(TWO_IMAGES))
    images = IdxImages(path)
    os.unlink(path)
    with pytest.raises(InputLostError) as caught:
        images.read_all()
    assert str(caught.value) == f"{path}: cannot be read any more: No such file or directory; {STAYS}"
