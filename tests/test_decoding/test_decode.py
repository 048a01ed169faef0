"""Bytes of every format and mode → grey pictures; every kind of broken file → its code; nothing else, ever."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.helpers import png_chunk
from support.pictures import (
    BITS,
    EXACT,
    FAR_OVER_OURS,
    GOOD,
    LOSSY,
    ONE_BIT,
    OVER_OURS,
    RAMP,
    UNREADABLE,
    encoded,
    fault,
    ramp,
    with_chunk,
)

from batch_infer.decoding.decode import Picture, decode
from batch_infer.decoding.formats import detect_format
from batch_infer.decoding.pixels.downscale import DETAIL_SIDE
from batch_infer.errors import ImageError

EXPECTED = "expected PNG, JPEG, TIFF, BMP, GIF, WebP, AVIF, HEIC or PBM/PGM/PPM"
NOT_READ = "which is not read; save it as PNG or JPEG"
TRANSPOSES = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation: the Image.Transpose that it undoes


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
        (b"\0\0\1\0\1\0", "ICO"),
        (b"PK\3\4\x14", "ZIP"),
        (b"\x1f\x8b\x08", "gzip"),
    ],
)
def test_other_formats_are_refused_by_name(data, name):
    assert fault(data) == ("not_an_image", f"{name}; {EXPECTED}")


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", f"JPEG 2000, {NOT_READ}"),
        (b"\xff\x4f\xff\x51\0", f"JPEG 2000, {NOT_READ}"),
        (b"\xff\x0a\0", f"JPEG XL, {NOT_READ}"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", f"JPEG XL, {NOT_READ}"),
        (b"II\xbc\1", f"JPEG XR, {NOT_READ}"),
        (b"8BPS\0\1", f"PSD, {NOT_READ}"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript, which is not read; draw its pages as PNG"),
        (b"%PDF-1.7\n", "PDF, which is not read; draw its pages as PNG"),
        (b"<svg xmlns=", "SVG, which is not read; draw its pages as PNG"),
        (
            b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
            "camera raw (CR3), which is not read; develop it, and save it as PNG or JPEG",
        ),
        (b"FUJIFILMCCD-RAW 0201", "camera raw, which is not read; develop it, and save it as PNG or JPEG"),
        (b"\0\0\0\x14ftypisom\0\0\0\1mp41", "video (MP4), which is not read; save the picture in it as PNG or JPEG"),
    ],
)
def test_what_people_take_for_pictures_is_refused_with_what_to_do(data, detail):
    assert fault(data) == ("not_an_image", detail)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"<!DOCTYPE html>", "an HTML page (a login, an error?), not the file itself; download it again"),
        (b"\n <html lang=en>", "an HTML page (a login, an error?), not the file itself; download it again"),
        (
            b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>',
            "a server's error in XML (NoSuchKey), not the file itself; download it again",
        ),
        (b'{"error":"Not Found"}', "a server's error in JSON, not the file itself; download it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "a git-LFS pointer, not the file itself; fetch that with: git lfs pull",
        ),
    ],
)
def test_what_a_download_gave_instead_is_named(data, what):
    assert fault(data) == ("not_an_image", what)


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


@pytest.mark.slow
@given(data=st.data())
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
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


def test_decoders_write_nothing_to_stderr(program, tmp_path):
    rng = np.random.default_rng(0)
    files = [
        *GOOD.values(),
        *UNREADABLE.values(),
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
    done = program("watched.decoders", folder)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(files)


def test_a_broken_animation_is_not_warned_about(program, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "0").write_bytes(BAD_ANIMATION)
    assert program("watched.decoders", folder).stderr == ""
