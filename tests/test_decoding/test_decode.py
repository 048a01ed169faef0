"""Bytes of every format and mode → grey pictures; every kind of broken file → its code; nothing else, ever."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.helpers import png_chunk

from batch_infer.decoding.decode import Picture, decode, detect_format
from batch_infer.decoding.downscale import DETAIL_SIDE
from batch_infer.errors import ImageError

RAMP = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)  # no symmetry, 10 high, 12 wide
EXPECTED = "expected PNG, JPEG, BMP, GIF, WebP or PBM/PGM/PPM"
TRANSPOSES = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation: the Image.Transpose that it undoes


def encoded(picture, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, kind, **options)
    return buffer.getvalue()


def ramp(mode: str) -> Image.Image:
    return Image.fromarray(RAMP).convert(mode)


def fault(data: bytes) -> tuple[str, str]:
    with pytest.raises(ImageError) as caught:
        decode(data)
    return caught.value.code, caught.value.detail


def png_header(width: int, height: int, *, colour: int = 0, bits: int = 8) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def with_chunk(png: bytes, extra: bytes) -> bytes:
    """A PNG with one more chunk before its pixels."""
    place = png.index(b"IDAT") - 4
    return png[:place] + extra + png[place:]


def pfm(values: np.ndarray) -> bytes:
    return b"Pf\n%d %d\n-1.0\n" % values.shape[::-1] + values[::-1].astype("<f4").tobytes()


def gif(width: int, height: int, *, screen: int = 0) -> bytes:
    head = struct.pack("<HHBBB", screen or width, screen or height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + head + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0;"


def bmp(width: int, height: int) -> bytes:
    data = bytearray(encoded(RAMP, "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def jpeg(width: int, height: int) -> bytes:
    data = bytearray(encoded(RAMP, "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def webp(width: int, height: int) -> bytes:
    body = b"\x2f" + struct.pack("<I", (width - 1) | ((height - 1) << 14)) + bytes(21)
    content = b"WEBPVP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(content)) + content


# What comes back must be RAMP, value for value; the second entry says whether it is one channel of 8 bits.
EXACT = {
    "PNG L": (encoded(ramp("L")), True),
    "PNG L, not compressed": (encoded(ramp("L"), compress_level=0), True),
    "PNG LA": (encoded(ramp("LA")), False),
    "PNG RGB": (encoded(ramp("RGB")), False),
    "PNG RGBA": (encoded(ramp("RGBA")), False),
    "PNG P": (encoded(ramp("P")), False),
    "PNG I;16 × 257": (encoded(RAMP.astype(np.uint16) * 257), False),
    "PNG I;16 × 256": (encoded(RAMP.astype(np.uint16) * 256), False),
    "BMP L": (encoded(ramp("L"), "BMP"), None),
    "BMP RGB": (encoded(ramp("RGB"), "BMP"), False),
    "GIF": (encoded(ramp("L"), "GIF"), None),
    "WebP RGB": (encoded(ramp("RGB"), "WEBP", lossless=True), False),
    "WebP RGBA": (encoded(ramp("RGBA"), "WEBP", lossless=True), False),
    "PGM": (encoded(ramp("L"), "PPM"), True),
    "PGM, a comment": (b"P5\n# made by hand\n12 10\n255\n" + RAMP.tobytes(), True),
    "PGM, plain": (b"P2 12 10 255\n" + b" ".join(b"%d" % value for value in RAMP.ravel()) + b"\n", True),
    "PGM, 16 bit": (b"P5 12 10 65535\n" + (RAMP.astype(">u2") * 257).tobytes(), False),
    "PPM": (encoded(ramp("RGB"), "PPM"), False),
    "PPM, plain": (b"P3 12 10 255\n" + b" ".join(b"%d %d %d" % (v, v, v) for v in RAMP.ravel()) + b"\n", False),
    "PFM, 0 … 255": (pfm(RAMP), False),
    "PFM, 0 … 1": (pfm(RAMP / 255), False),
}
LOSSY = {
    "JPEG L": encoded(ramp("L"), "JPEG", quality=95),
    "JPEG RGB": encoded(ramp("RGB"), "JPEG", quality=95),
    "JPEG CMYK": encoded(ramp("RGB").convert("CMYK"), "JPEG", quality=95),
    "JPEG YCbCr, progressive": encoded(ramp("YCbCr"), "JPEG", quality=95, progressive=True),
    "WebP": encoded(ramp("RGB"), "WEBP", quality=95),
}
BITS = RAMP > 100
ONE_BIT = {
    "PNG 1": encoded(BITS),
    "BMP 1": encoded(BITS, "BMP"),
    "PBM": encoded(BITS, "PPM"),
    "PBM, plain": b"P1\n12 10\n" + b" ".join(b"%d" % value for value in ~BITS.ravel()) + b"\n",
}
GOOD = {name: data for name, (data, _) in EXACT.items()} | LOSSY | ONE_BIT


@pytest.mark.parametrize(("data", "single"), EXACT.values(), ids=EXACT)
def test_lossless_files_come_back_value_for_value(data, single):
    picture = decode(data)
    assert picture.grey.dtype == np.uint8
    np.testing.assert_array_equal(picture.grey, RAMP)
    if single is not None:
        assert picture.one_channel is single


@pytest.mark.parametrize("data", LOSSY.values(), ids=LOSSY)
def test_lossy_files_come_back_nearly(data):
    grey = decode(data).grey
    assert grey.shape == RAMP.shape
    assert np.abs(grey.astype(int) - RAMP).max() <= 8


@pytest.mark.parametrize("data", ONE_BIT.values(), ids=ONE_BIT)
def test_one_bit_files_become_black_and_white(data):
    np.testing.assert_array_equal(decode(data).grey, BITS * np.uint8(255))


def test_one_bit_png_counts_as_one_channel():
    assert decode(encoded(BITS)).one_channel


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_orientation_is_undone(kind, orientation):
    stored = ramp("RGB" if kind == "WEBP" else "L")
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(TRANSPOSES[orientation]))
    tags = Image.Exif()
    tags[0x0112] = orientation
    picture = decode(encoded(stored, kind, exif=tags.tobytes(), **({"lossless": True} if kind == "WEBP" else {})))
    np.testing.assert_array_equal(picture.grey, RAMP)
    assert picture.one_channel is (kind == "PNG" and orientation == 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_jpeg_is_undone(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    stored = ramp("L").resize((96, 80), Image.Resampling.NEAREST)
    upright = decode(encoded(stored, "JPEG", quality=95)).grey
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(TRANSPOSES[orientation]))
    grey = decode(encoded(stored, "JPEG", quality=95, exif=tags.tobytes())).grey
    assert grey.shape == upright.shape
    assert np.abs(grey.astype(int) - upright).max() <= 3


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0junk", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"], ids=repr)
def test_broken_metadata_do_not_cost_the_picture(exif):
    np.testing.assert_array_equal(decode(with_chunk(encoded(RAMP), png_chunk(b"eXIf", exif))).grey, RAMP)


def test_of_several_frames_the_first_counts():
    other = Image.fromarray(255 - RAMP)
    for kind, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})):
        frames = (ramp("RGB"), other.convert("RGB")) if kind == "WEBP" else (ramp("L"), other)
        data = encoded(frames[0], kind, save_all=True, append_images=[frames[1]], **options)
        np.testing.assert_array_equal(decode(data).grey, RAMP, err_msg=kind)


def test_black_on_transparent_and_white_on_transparent_give_the_alpha():
    for level in (0, 255):
        picture = Image.merge("LA", (Image.new("L", (12, 10), level), ramp("L")))
        for mode in ("LA", "RGBA"):
            np.testing.assert_array_equal(decode(encoded(picture.convert(mode))).grey, RAMP)


def test_transparent_palette_entries_are_not_ink():
    picture = Image.new("P", (12, 10), 0)  # index 0: black, but transparent
    picture.putpalette([0, 0, 0, 0, 0, 0])
    picture.paste(1, (4, 2, 8, 8))
    expected = np.zeros((10, 12), np.uint8)
    expected[2:8, 4:8] = 255
    for kind in ("PNG", "GIF"):
        np.testing.assert_array_equal(decode(encoded(picture, kind, transparency=0)).grey, expected, err_msg=kind)


def test_a_transparent_grey_of_a_grey_png_is_not_ink():
    picture = decode(encoded(Image.fromarray(np.where(BITS, np.uint8(0), np.uint8(10))), transparency=10))
    np.testing.assert_array_equal(picture.grey, BITS * np.uint8(255))
    assert not picture.one_channel


def test_deep_greys_are_stretched_not_clamped():
    values = np.linspace(1000, 4000, 120).reshape(10, 12)
    for data in (encoded(values.astype(np.uint16)), pfm(values), pfm(-values)):
        grey = decode(data).grey.astype(int).ravel()
        assert {grey[0], grey[-1]} == {0, 255}
        assert len(np.unique(grey)) == 120


def test_coloured_ink_as_bright_as_its_paper_is_seen():
    picture = Image.new("RGB", (12, 10), (80, 155, 90))
    picture.paste((220, 90, 90), (4, 2, 8, 8))
    assert np.ptp(np.asarray(picture.convert("L")).astype(int)) < 15
    grey = decode(encoded(picture)).grey
    assert abs(int(grey[5, 5]) - int(grey[0, 0])) > 200


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P", "I;16"])
def test_large_pictures_are_averaged_down(mode):
    wide = Image.new("L", (3000, 40), 90)
    wide.paste(200, (1500, 0, 3000, 40))
    data = encoded(np.asarray(wide).astype(np.uint16) if mode == "I;16" else wide.convert(mode))
    grey = decode(data).grey
    assert max(grey.shape) <= DETAIL_SIDE
    assert grey[:, :400].mean() < grey[:, -400:].mean()


def test_large_jpegs_are_decoded_at_a_smaller_scale():
    assert decode(encoded(Image.new("RGB", (4096, 3072), (9, 9, 9)), "JPEG")).grey.shape == (768, 1024)


def test_an_empty_file_is_empty():
    assert fault(b"") == ("empty", "0 bytes")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"hello", "unknown format"),
        (b"\0", "unknown format"),
        (b"\x89PNG", "unknown format"),
        (b"P7\nWIDTH 1\n", "unknown format"),
        (b"RIFF\0\0\0\0WAVE", "unknown format"),
        (encoded(RAMP, "TIFF"), "TIFF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"%PDF-1.7\n", "PDF"),
        (b"8BPS\0\1", "PSD"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x0a\0", "JPEG XL"),
        (b"\0\0\1\0\1\0", "ICO"),
        (b"PK\3\4\x14", "ZIP"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"<svg xmlns=", "SVG"),
        (b"\0\0\0\x1cftypheic", "HEIC/AVIF"),
    ],
)
def test_other_formats_are_refused_by_name(data, name):
    assert fault(data) == ("not_an_image", f"{name}; {EXPECTED}")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("PNG", encoded(RAMP)),
        ("PNG", encoded(ramp("RGB"))),
        ("JPEG", encoded(RAMP, "JPEG")),
        ("JPEG", encoded(RAMP, "JPEG", progressive=True)),
        ("BMP", encoded(RAMP, "BMP")),
        ("GIF", encoded(RAMP, "GIF")),
        ("WEBP", encoded(ramp("RGB"), "WEBP")),
        ("PPM", encoded(RAMP, "PPM")),
        ("PPM", EXACT["PGM, plain"][0]),
        ("PPM", EXACT["PFM, 0 … 1"][0]),
    ],
)
def test_a_file_cut_short_is_truncated(name, data):
    for length in (len(data) // 3, len(data) // 2, len(data) * 7 // 10):
        code, detail = fault(data[:length])
        assert code == "truncated", length
        assert detail.startswith(f"{name}: ")


BOMB = png_header(60_000, 60_000) + png_chunk(b"IDAT", zlib.compress(bytes(20 << 20))) + png_chunk(b"IEND")
OVER_PILLOWS_LIMIT = {
    "BMP": bmp(60_000, 60_000),
    "GIF": gif(60_000, 60_000),
    "GIF, small screen": gif(60_000, 60_000, screen=8),
}
FAR_OVER_OURS = {
    "PNG": BOMB,
    "JPEG": jpeg(60_000, 60_000),
    "PPM": b"P6 60000 60000 255\n",
}
OVER_OURS = {
    "PNG": png_header(8000, 8000, bits=1) + png_chunk(b"IDAT", zlib.compress(bytes(8_008_000))) + png_chunk(b"IEND"),
    "JPEG": jpeg(8000, 8000),
    "BMP": bmp(8000, 8000),
    "GIF": gif(8000, 8000),
    "PPM": b"P6 8000 8000 255\n",
}


def test_the_bomb_is_a_small_file():
    assert len(BOMB) < 25_000
    assert len(OVER_OURS["PNG"]) < 25_000


@pytest.mark.parametrize("data", OVER_PILLOWS_LIMIT.values(), ids=OVER_PILLOWS_LIMIT)
def test_headers_beyond_all_bounds_are_too_large(data):
    assert fault(data) == ("too_large", "more pixels than can be decoded")


@pytest.mark.parametrize("data", FAR_OVER_OURS.values(), ids=FAR_OVER_OURS)
def test_headers_far_beyond_the_pixel_limit_are_too_large(data):
    assert fault(data) == ("too_large", "60000×60000 pixels; expected at most 50,000,000")


@pytest.mark.parametrize("data", OVER_OURS.values(), ids=OVER_OURS)
def test_headers_beyond_the_pixel_limit_are_too_large(data):
    assert fault(data) == ("too_large", "8000×8000 pixels; expected at most 50,000,000")


def test_webp_has_a_lower_limit():
    for side in (5000, 16_383):
        assert fault(webp(side, side)) == ("too_large", f"{side}×{side} pixels; expected at most 16,000,000")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_float_that_is_no_number_is_non_finite(value):
    values = RAMP / 255
    values[3, 4] = value
    assert fault(pfm(values)) == ("non_finite", "NaN or infinity among the pixels")


PNG_RGB = encoded(ramp("RGB"))
UNREADABLE = {
    "no zlib stream": PNG_RGB.replace(b"IDAT\x78", b"IDAT\xff"),
    "no pixels": png_header(28, 28) + png_chunk(b"IEND"),
    "zero width": png_header(0, 5) + png_chunk(b"IEND"),
    "PPM without a size": b"P5 x y 255\n" + bytes(100),
    "PFM with no scale": b"Pf\n2 1\n0.0\n" + bytes(8),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_damaged_files_are_unreadable(data):
    assert fault(data)[0] == "unreadable"


# The APNG control chunk without frames: Pillow warns about it.
BAD_ANIMATION = with_chunk(encoded(RAMP), png_chunk(b"acTL", bytes(8)))
# Whatever it says, a file's fault is the same in every process: details go to the log.
DETAILS = list(UNREADABLE.values()) + [data[: len(data) // 3] for data in GOOD.values()]


def test_details_have_no_memory_addresses():
    assert not [detail for _, detail in map(fault, DETAILS) if " at 0x" in detail]


def check(data: bytes) -> None:
    """Decode, and hold the result against the promise; any other exception fails the test."""
    try:
        picture = decode(data)
    except ImageError:
        return
    assert isinstance(picture, Picture)
    assert picture.grey.dtype == np.uint8
    assert picture.grey.ndim == 2
    assert 0 < max(picture.grey.shape) <= DETAIL_SIDE


@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_files_give_a_picture_or_a_fault(data, capfd):
    content = bytearray(data.draw(st.sampled_from(sorted(GOOD)).map(GOOD.__getitem__)))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6)):
        content[place % len(content)] = value
    cut = data.draw(st.none() | st.integers(0, len(content)))
    check(bytes(content[:cut]))
    assert capfd.readouterr() == ("", "")


@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF89a", b"P5\n", b"Pf\n"]), st.binary())
@settings(max_examples=200, deadline=None)
def test_junk_behind_a_magic_number_gives_a_fault(magic, junk):
    check(magic + junk)


@given(st.binary(max_size=40))
def test_a_format_has_a_name_or_none(data):
    assert detect_format(data) is None or detect_format(data + b"more") == detect_format(data)


READ_ALL = """
import sys, pathlib
from batch_infer.decoding.decode import decode
from batch_infer.errors import ImageError
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        decode(path.read_bytes())
    except ImageError:
        pass
    print(path.name)
"""


def test_decoders_write_nothing_to_stderr(python, tmp_path):
    """In a process of its own: pytest would catch warnings and log messages before they are shown."""
    rng = np.random.default_rng(0)
    files = [
        *GOOD.values(),
        *UNREADABLE.values(),
        *OVER_PILLOWS_LIMIT.values(),
        *FAR_OVER_OURS.values(),
        *OVER_OURS.values(),
    ]
    for data in GOOD.values():
        for _ in range(10):
            mutated = bytearray(data)
            for place in rng.integers(0, min(len(data), 200), 3).tolist():
                mutated[place] = int(rng.integers(256))
            files.append(bytes(mutated))
    folder = tmp_path / "files"
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / str(number)).write_bytes(data)
    done = python(READ_ALL, folder)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(files)


def test_a_broken_animation_is_not_warned_about(python, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "0").write_bytes(BAD_ANIMATION)
    assert python(READ_ALL, folder).stderr == ""
