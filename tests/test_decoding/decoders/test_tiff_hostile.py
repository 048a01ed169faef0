"""Damaged and hostile TIFF: the page's error, in bounded memory, and not a word of libtiff's on stderr."""

import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.helpers import support_environment
from support.pictures import BITS, RAMP, encoded, fault
from support.tiff_files import LONG, SHORT, UNDEFINED, tiff

from batch_infer.decoding.decode import decode
from batch_infer.errors import ImageError

MOST = "expected at most 50,000,000"
OTHERWISE = "is not read; save it with LZW or as PNG"
LAB = "bits 8, photometric interpretation 9"
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)


def page_fault(data: bytes, page: int) -> tuple[str, str]:
    with pytest.raises(ImageError) as caught:
        decode(data, page)
    return caught.value.code, caught.value.detail


def damaged(compression: str, step: int = 37) -> bytes:
    image = Image.fromarray(NOISE > 127) if "g" in compression[:1] or "ccitt" in compression else Image.fromarray(NOISE)
    data = bytearray(encoded(image, "TIFF", compression=compression))
    begin = data.index(b"".join(encoded_strip(bytes(data)))[:16])
    for place in range(begin + 20, begin + 400, step):
        data[place] ^= 0x5A
    return bytes(data)


def encoded_strip(data: bytes) -> list[bytes]:
    with Image.open(__import__("io").BytesIO(data)) as image:
        places, sizes = image.tag_v2[273], image.tag_v2[279]
    return [data[place : place + size] for place, size in zip(places, sizes, strict=True)]


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "group4", "tiff_ccitt"])
def test_damaged_data_are_unreadable_or_truncated(compression, capfd):
    code, detail = fault(damaged(compression))
    assert code in {"unreadable", "truncated"}
    assert detail.startswith("TIFF: ")
    assert capfd.readouterr() == ("", "")


def test_pages_before_the_damage_are_read():
    data = tiff(RAMP, RAMP, RAMP)
    second_missing = tiff(RAMP, RAMP, following=len(data) * 9)
    np.testing.assert_array_equal(decode(second_missing, 1).grey, RAMP)
    assert page_fault(second_missing, 2) == ("truncated", "TIFF: a page begins behind the end of the file")


def test_a_file_cut_in_its_first_directory_is_truncated():
    data = tiff(RAMP)
    assert fault(data[:60])[0] == "truncated"
    assert fault(data[:-70])[0] == "truncated"
    assert fault(data[:6]) == ("truncated", "TIFF: a page begins behind the end of the file")


def test_pages_that_run_in_a_circle_end():
    first = int.from_bytes(tiff(RAMP)[4:8], "little")
    data = tiff(RAMP, following=first)
    np.testing.assert_array_equal(decode(data, 0).grey, RAMP)
    assert page_fault(data, 1) == ("unreadable", "TIFF: its pages run in a circle")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({256: (LONG, [0])}, ("unreadable", "0×10 pixels")),
        ({256: (LONG, [60_000]), 257: (LONG, [60_000])}, ("too_large", f"60000×60000 pixels (3,600,000,000); {MOST}")),
        ({257: (LONG, [1000])}, ("truncated", "TIFF: it has 1 strips or tiles of 100")),
        ({273: (LONG, [1 << 30])}, ("truncated", "TIFF: its pixels lie behind the end of the file")),
        ({273: (LONG, [0])}, ("truncated", "TIFF: its pixels lie behind the end of the file")),
        ({273: (LONG, [])}, ("truncated", "TIFF: it has 0 strips or tiles of 1")),
        ({278: (LONG, [1])}, ("truncated", "TIFF: it has 1 strips or tiles of 10")),
        ({279: (LONG, [60])}, ("truncated", "TIFF: a strip has 60 bytes; expected 120")),
        ({259: (SHORT, [6])}, ("unreadable", f"TIFF: its compression (old-style JPEG) {OTHERWISE}")),
        ({259: (SHORT, [34_925])}, ("unreadable", f"TIFF: its compression (number 34925) {OTHERWISE}")),
        ({277: (SHORT, [9])}, ("unreadable", "TIFF: 9 channels of 8 bits a pixel")),
        ({262: (SHORT, [9])}, ("unreadable", f"TIFF: pixels of an unusual kind ({LAB}); save it as PNG")),
        ({322: (LONG, [1 << 31]), 323: (LONG, [1 << 31]), 324: (LONG, [8]), 325: (LONG, [8])},
         ("too_large", f"2147483648×2147483648 pixels (4,611,686,018,427,387,904); {MOST}")),
        ({322: (LONG, [0]), 323: (LONG, [16]), 324: (LONG, [8]), 325: (LONG, [8])}, ("unreadable", "0×16 pixels")),
    ],
)  # fmt: skip
def test_tags_that_lie_are_refused(change, expected):
    assert fault(tiff(RAMP[:10, :12], change=change)) == expected


def test_strips_that_share_their_bytes_are_refused():
    count = 4000
    change = {
        257: (LONG, [count]),
        278: (LONG, [1]),
        273: (LONG, [8] * count),
        279: (LONG, [50_000] * count),
        259: (SHORT, [5]),
    }
    assert fault(tiff(np.zeros((300, 300), np.uint8), change=change)) == (
        "unreadable", "TIFF: its strips or tiles overlap",
    )  # fmt: skip


def test_too_many_strips_tags_and_directories_are_too_large():
    strips = {256: (LONG, [1]), 257: (LONG, [200_000]), 278: (LONG, [1])}
    assert fault(tiff(RAMP, change=strips)) == ("too_large", "more than 100,000 strips or tiles")
    tags = {1000 + number: (SHORT, [1]) for number in range(1000)}
    assert fault(tiff(RAMP, change=tags)) == ("too_large", "TIFF: a page with more than 1,000 tags")
    thumbnails = tiff(*[RAMP[:1, :1].copy()] * 1001, change={254: (LONG, [1])})
    assert fault(thumbnails) == ("too_large", "TIFF: more than 1,000 directories")


def bomb() -> bytes:
    """A TIFF of 4 MB whose 900 private tags each point at all of it: 3.6 GB in a reader that copies them."""
    data = tiff(np.zeros((2000, 2000), np.uint8), change={40_000 + number: (SHORT, [1]) for number in range(900)})
    entry = struct.pack("<HHI", 40_000, SHORT, 1)[2:]
    return data.replace(entry, struct.pack("<HI", UNDEFINED, 4_000_000)).replace(
        b"\1\0\0\0\1\0\0\0", b"\1\0\0\0\1\0\0\0"
    )


def test_tags_that_share_megabytes_take_no_memory(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "bomb").write_bytes(bomb())
    done = subprocess.run(
        [sys.executable, "-m", "support.decode_files", str(folder), "400"],
        env=support_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = dict(line.split("\t") for line in done.stdout.splitlines())
    assert found["bomb"] == "1000×1000"
    assert int(found["peak"]) < 300


def test_private_tags_and_warnings_are_not_printed(program, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    contents = [tiff(RAMP, change={65_000: (UNDEFINED, b"private"), 33_550: (LONG, [1] * 3), 282: (5, b"\0" * 8)})]
    contents += [damaged(one) for one in ("tiff_lzw", "tiff_adobe_deflate", "group3", "group4", "tiff_ccitt", "jpeg")]
    contents.append(encoded(Image.fromarray(BITS), "TIFF", compression="group4")[:-100])
    for number, data in enumerate(contents):
        (folder / str(number)).write_bytes(data)
    done = program("watched.decoders", folder)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(contents)


def test_what_others_write_to_stderr_meanwhile_is_passed_on(capfd):
    import os

    from batch_infer.decoding.decoders.captured_stderr import libtiff_messages

    messages: list[str] = []
    with libtiff_messages(messages):
        os.write(2, b"Fax4Decode: Bad code word.\nprogress 50 %\nJPEGPreDecode: bad.\nApparently should be 1,1.\n")
    assert messages == ["Fax4Decode: Bad code word.", "JPEGPreDecode: bad.", "Apparently should be 1,1."]
    assert capfd.readouterr().err == "progress 50 %\n"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["raw", "tiff_lzw", "packbits", "group4", "jpeg"]),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=6),
    st.none() | st.integers(0, 5000),
)
def test_mutated_files_give_a_picture_or_an_error(compression, changes, cut):
    image = Image.fromarray(BITS if compression == "group4" else RAMP)
    data = bytearray(encoded(image, "TIFF", compression=compression, save_all=True, append_images=[image]))
    for place, value in changes:
        data[place % len(data)] = value
    for page in (None, 0, 1):
        try:
            grey = decode(bytes(data[:cut]), page).grey
        except ImageError:
            continue
        assert grey.dtype == np.uint8
        assert 0 < max(grey.shape) <= 1024
