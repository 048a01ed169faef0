"""Files in which two sizes stand, one for the check and one for the decoder: no way of decoding takes memory for both.

Each is decoded in a process of its own with little memory.
"""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from support.helpers import ROOT, clean_environment, png_chunk
from support.image_bytes import (
    IEND,
    RGB,
    SIGNATURE,
    bmp,
    exif_bomb,
    frame_header,
    gif,
    make_png,
    png_header,
    riff,
    riff_chunk,
    segment,
    webp_canvas,
)

MEGABYTES = 250  # may be taken
PIXEL = np.zeros((1, 1), np.uint8)
DOT = png_chunk(b"IDAT", zlib.compress(b"\0\0"))
LARGE = (262_145, 16_777_217)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


JPEG = saved(Image.new("L", (40, 40)), "JPEG")
PROGRESSIVE = saved(Image.new("L", (40, 40)), "JPEG", progressive=True)
WEBP = saved(Image.new("RGB", (40, 40)), "WEBP", lossless=True)
ANIMATED_WEBP = saved(
    Image.new("RGB", (40, 40)), "WEBP", save_all=True, append_images=[Image.new("RGB", (40, 40), "white")]
)
HEADERS = "PNG: it has more than one header (IHDR)"
FRAMES = "JPEG: it has more than one frame header (SOF)"


def before(data: bytes, kind: bytes, extra: bytes) -> bytes:
    place = data.index(kind)
    return data[:place] + extra + data[place:]


def with_multi_picture(first: bytes, second: bytes) -> bytes:
    """Two JPEGs as cameras join them, with an index in the first."""
    entries = struct.pack("<LLLHH", 0x030000, len(first), 0, 0, 0) + struct.pack(
        "<LLLHH", 0, len(second), len(first), 0, 0
    )
    tags = [(0xB000, 7, 4, b"0100"), (0xB001, 4, 1, struct.pack("<L", 2)), (0xB002, 7, 32, struct.pack("<L", 50))]
    index = b"MPF\0II*\0" + struct.pack("<LH", 8, 3)
    index += b"".join(struct.pack("<HHL", *tag[:3]) + tag[3] for tag in tags) + bytes(4) + entries
    return first[:2] + segment(0xE2, index) + first[2:] + second


def animated_png(frame: tuple[int, int]) -> bytes:
    """A picture of one pixel whose first frame says it had another size."""
    control = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    first = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, *frame, 0, 0, 1, 1, 0, 0))
    second = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, *frame, 0, 0, 1, 1, 0, 0))
    data = png_chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(b"\0\0"))
    return make_png(PIXEL, before=control + first, behind=second + data)


# By name: the file, and what comes of it.
FILES = {
    "PNG, two headers": (
        SIGNATURE + png_header(1, 1) + png_header(*LARGE) + DOT + IEND,
        f"not_an_image: {HEADERS}",
    ),
    "PNG, two headers, large first": (
        SIGNATURE + png_header(*LARGE) + png_header(1, 1) + DOT + IEND,
        f"not_an_image: {HEADERS}",
    ),
    "PNG, second header behind a comment": (
        SIGNATURE + png_header(1, 1) + png_chunk(b"tEXt", b"a\0b") + png_header(*LARGE, colour=RGB) + DOT + IEND,
        f"not_an_image: {HEADERS}",
    ),
    "PNG, second header behind the pixels": (make_png(PIXEL, behind=png_header(*LARGE)), f"not_an_image: {HEADERS}"),
    "PNG, second header with a wrong checksum": (
        SIGNATURE + png_header(1, 1) + png_header(*LARGE)[:-1] + b"?" + DOT + IEND,
        f"not_an_image: {HEADERS}",
    ),
    "PNG, header not first": (
        SIGNATURE + png_chunk(b"gAMA", bytes(13)) + png_header(*LARGE) + DOT + IEND,
        "not_an_image: PNG: its first chunk is gAMA, not IHDR",
    ),
    "PNG, header in a longer one": (
        SIGNATURE + png_chunk(b"IHDR", png_header(1, 1)[8:21] + png_header(*LARGE)) + DOT + IEND,
        "not_an_image: PNG: its header has 38 bytes, not 13",
    ),
    "PNG, large and small frame": (animated_png((1, 1)), "1×1"),
    "PNG, frame larger than the picture": (animated_png((60_000, 60_000)), "1×1"),
    "PNG, EXIF with many entries": (make_png(PIXEL, before=png_chunk(b"eXIf", exif_bomb(6))), "1×1"),
    "PNG, EXIF with many entries behind": (make_png(PIXEL, behind=png_chunk(b"eXIf", exif_bomb(6))), "1×1"),
    "JPEG, two frame headers": (before(JPEG, b"\xff\xc0", frame_header(65_500, 65_500)), f"not_an_image: {FRAMES}"),
    "JPEG, the large one last": (before(JPEG, b"\xff\xc4", frame_header(65_500, 65_500)), f"not_an_image: {FRAMES}"),
    "JPEG, the other one progressive": (
        before(JPEG, b"\xff\xc0", frame_header(65_500, 65_500, 0xC2)),
        f"not_an_image: {FRAMES}",
    ),
    "JPEG, large frame in a hierarchy": (
        before(JPEG, b"\xff\xc0", frame_header(65_500, 65_500, 0xDE)),
        "unreadable: JPEG: a marker FF DE comes before its pixels",
    ),
    "JPEG, large frame header behind an end": (
        JPEG[:2] + b"\xff\xd9" + frame_header(65_500, 65_500) + JPEG[2:],
        "unreadable: JPEG: it ends before its pixels",
    ),
    "JPEG, large frame header as a comment": (
        JPEG[:2] + segment(0xFE, frame_header(65_500, 65_500)) + JPEG[2:],
        "40×40",
    ),
    "JPEG, large frame header behind a marker of no length": (
        JPEG[:2] + b"\xff\xc8" + frame_header(65_500, 65_500) + JPEG[2:],
        "unreadable: JPEG: a marker FF C8 comes before its pixels",
    ),
    "JPEG, large preview": (with_multi_picture(JPEG, before(JPEG, b"\xff\xc0", frame_header(65_500, 65_500))), "40×40"),
    "JPEG, two pictures": (with_multi_picture(JPEG, PROGRESSIVE), "40×40"),
    "JPEG, EXIF with many entries": (
        JPEG[:2]
        + b"".join(segment(0xE1, b"Exif\0\0" + exif_bomb(6)[at : at + 65_000]) for at in range(0, 3 << 20, 65_000))
        + JPEG[2:],
        "40×40",
    ),
    "WebP, large canvas": (
        riff(webp_canvas(1 << 14, 1 << 14), WEBP[12:]),
        "too_large: 16384×16384 pixels (268,435,456); expected at most 16,000,000",
    ),
    "WebP, largest canvas": (
        riff(webp_canvas(65_536, 65_535, 2), ANIMATED_WEBP[30:]),
        "too_large: 65536×65535 pixels (4,294,901,760); expected at most 16,000,000",
    ),
    "WebP, frame larger than the canvas": (
        riff(webp_canvas(1, 1), riff_chunk(b"VP8L", b"\x2f" + struct.pack("<I", 0xFFFFFFF) + bytes(20))),
        None,
    ),
    "WebP, many chunks": (WEBP + b"QUUX\0\0\0\0" * 100_001, "too_large: more than 100,000 chunks"),
    "WebP, EXIF with many entries": (saved(Image.new("RGB", (40, 40)), "WEBP", exif=exif_bomb(6)), "40×40"),
    "GIF, large screen": (
        gif((65_535, 65_535), (1, 1)),
        "too_large: 65535×65535 pixels (4,294,836,225); expected at most 50,000,000",
    ),
    "GIF, frame larger than the screen": (
        gif((1, 1), (60_000, 60_000)),
        "too_large: 3,600,000,000 pixels; expected at most 50,000,000",
    ),
    "GIF, frame larger than the screen by half": (
        gif((1, 1), (8000, 8000)),
        "too_large: 8000×8000 pixels (64,000,000); expected at most 50,000,000",
    ),
    "GIF, many blocks of comment": (
        gif((1, 1), (1, 1), before=b"!\xfe" + b"\2ab" * (1 << 18) + b"\0"),
        "too_large: more than 100,000 blocks before its picture",
    ),
    "BMP, negative height": (bmp(3, -2, bytes(8)), "3×2"),
    "BMP, least height": (
        bmp(3, -(1 << 31), bytes(8)),
        "too_large: 3×2147483648 pixels (6,442,450,944); expected at most 50,000,000",
    ),
    "BMP, negative width": (
        bmp(-3, 2, bytes(8)),
        "too_large: 4294967293×2 pixels (8,589,934,586); expected at most 50,000,000",
    ),
    "BMP, large and run-length": (
        bmp(60_000, 800, b"\0\1", compression=1),
        "truncated: BMP: not enough image data",
    ),
    "BMP, long and run-length": (
        bmp(60, 80, b"\0\0" * (5 << 20), compression=1),
        "too_large: more than 8,388,608 bytes of run-length data",
    ),
    "PGM, large": (
        b"P5 9999999999 9999999999 255 ",
        "too_large: 9999999999×9999999999 pixels (99,999,999,980,000,000,001); expected at most 50,000,000",
    ),
    "PGM, larger": (b"P5 1" + b"0" * 99 + b" 1 255 ", None),
    "PGM, a size behind a comment": (
        b"P2\n#1 1\n262145 16777217 255\n0 ",
        "too_large: 262145×16777217 pixels (4,398,063,550,465); expected at most 50,000,000",
    ),
    "PPM, plain, large and empty": (b"P3 7000 7000 255\n0 ", "truncated: PPM: it ends before its last pixel"),
    "PBM, large and empty": (b"P4 7000 7000\n", "truncated: PPM: its pixels end 6,125,000 bytes early"),
    "PFM, large and empty": (b"Pf 7000 7000 -1.0\n", "truncated: PPM: its pixels end 196,000,000 bytes early"),
}


def outcomes(folder, files: dict[str, bytes], megabytes: int) -> dict[str, str]:
    """Decode files in a process of their own that may take so much memory."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name.replace("/", "_")).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "support.decode_files", str(folder), str(megabytes)],
        env=clean_environment(PYTHONPATH=os.pathsep.join([str(ROOT / "tests"), str(ROOT)]), PYTHONIOENCODING="utf-8"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.stderr.decode() == ""
    assert done.returncode == 0
    return dict(line.split("\t") for line in done.stdout.decode().splitlines())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcomes(
        tmp_path_factory.mktemp("sizes") / "in", {name: data for name, (data, _) in FILES.items()}, MEGABYTES
    )


@pytest.mark.parametrize("name", FILES)
def test_two_sizes_are_a_row_or_the_smaller_one_is_right(found, name):
    expected = FILES[name][1]
    if expected is None:  # which of two codes is the library's choice
        assert found[name].split(":")[0] in {"unreadable", "too_large", "truncated", "not_an_image"}
    else:
        assert found[name] == expected


def test_none_of_them_takes_memory(found):
    assert int(found["peak"]) < 300  # MB


def test_the_poison_of_92_bytes(found):
    data, _ = FILES["PNG, two headers"]
    assert len(data) == 92
    assert found["PNG, two headers"].startswith("not_an_image")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold a process to its address space")
def test_where_memory_does_not_suffice_the_file_is_too_large(tmp_path):
    wide = make_png(np.zeros((7000, 7000, 3), np.uint8), colour=RGB)
    files = {"1 RGB": wide, "2 PPM": b"P6 3000 7000 255\n" + bytes(63_000_000), "3 dot": make_png(PIXEL)}
    found = outcomes(tmp_path / "in", files, 90)
    assert found["1 RGB"].startswith("too_large: not enough memory")
    assert found["2 PPM"].startswith("too_large: not enough memory")
    assert found["3 dot"] == "1×1"
