"""HEIC and AVIF: decoded where there is a library for it, turned as they say, and a row that says what to do if not."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image
from support.pictures import RAMP, encoded, fault

from batch_infer.decoding.decode import decode
from batch_infer.decoding.formats import detect_format
from batch_infer.decoding.structure.boxes import hide_metadata

PICTURE = np.kron(RAMP, np.ones((8, 8), np.uint8))  # 80 high, 96 wide


def photo(kind: str, size: tuple[int, int] | None = None, **options) -> bytes:
    image = Image.fromarray(PICTURE).convert("RGB") if size is None else Image.new("RGB", size)
    if kind == "AVIF":
        pytest.importorskip("PIL.AvifImagePlugin", reason="Pillow before 11.3")
        return encoded(image, "AVIF", quality=95, **options)
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(image).save(buffer, quality=95, **options)
    return buffer.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112], tags[0x010E] = orientation, "a digit"
    return tags.tobytes()


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_photos_come_back_nearly(kind):
    data = photo(kind)
    picture = decode(data)
    assert detect_format(data) == kind
    assert np.abs(picture.grey.astype(int) - PICTURE).max() <= 8
    assert (picture.one_channel, picture.lossy) == (False, True)


def test_an_avif_is_turned_as_its_properties_say():
    turned = decode(photo("AVIF", exif=exif(6))).grey
    assert np.abs(turned.astype(int) - np.rot90(PICTURE, -1)).max() <= 8


def test_a_heic_is_turned_as_its_properties_say():
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    turned = decode(encoded(Image.fromarray(PICTURE).convert("RGB"), "HEIF", quality=95, exif=exif(6))).grey
    assert np.abs(turned.astype(int) - np.rot90(PICTURE, -1)).max() <= 8


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_exif_and_xmp_do_not_reach_the_decoder(kind):
    metadata = {"exif": exif(1)} if kind == "HEIC" else {"exif": exif(1), "xmp": b"<x/>"}
    data = photo(kind, **metadata)
    assert b"Exif" in data
    hidden = hide_metadata(data)
    assert len(hidden) == len(data)
    items = hidden[hidden.index(b"iinf") :][:200]
    assert b"\0\0Exif" not in items
    assert b"\0\0mime" not in items
    assert np.array_equal(decode(hidden).grey, decode(data).grey)


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 40, struct.pack(">I4s", 9, b"meta"), struct.pack(">I4sQ", 1, b"meta", 1 << 60)]
)
def test_what_has_no_metadata_stays_as_it_is(data):
    assert hide_metadata(data) is data


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_a_photo_cut_short_is_truncated(kind):
    data = photo(kind)
    for length in (len(data) // 3, len(data) // 2, len(data) * 9 // 10):
        code, detail = fault(data[:length])
        assert (code, detail.split(":")[0]) == ("truncated", kind)


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_the_size_in_the_header_is_checked_before_pixels(kind):
    data = photo(kind)
    place = data.index(b"ispe") + 8
    large = data[:place] + struct.pack(">II", 10_000, 9_000) + data[place + 8 :]
    code, detail = fault(large)
    assert code in {"too_large", "unreadable"}
    if code == "too_large":
        assert detail == "10000×9000 pixels (90,000,000); expected at most 50,000,000"


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_damaged_photos_are_a_picture_or_an_error_and_print_nothing(kind, program, tmp_path):
    data, rng = photo(kind), np.random.default_rng(0)
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(40):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), 4).tolist():
            changed[place] = int(rng.integers(256))
        (folder / str(number)).write_bytes(changed)
    done = program("watched.decoders", folder)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 40


def test_a_heic_without_the_extra_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert fault(b"\0\0\0\x1cftypheic" + bytes(16)) == (
        "not_an_image", "HEIC; to read it, type: pip install '.[heic]'; or save it as JPEG",
    )  # fmt: skip


def test_an_avif_without_a_codec_says_what_to_type(monkeypatch):
    plugin = pytest.importorskip("PIL.AvifImagePlugin", reason="Pillow before 11.3")
    monkeypatch.setattr(plugin, "SUPPORTED", False)
    assert fault(b"\0\0\0\x1cftypavif" + bytes(16)) == (
        "not_an_image", "AVIF, which this Pillow cannot read; type: pip install -U pillow",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("brands", "name"),
    [
        (b"heic", "HEIC"),
        (b"mif1\0\0\0\0mif1heic", "HEIC"),
        (b"mif1\0\0\0\0mif1avif", "AVIF"),
        (b"mif1\0\0\0\0mif1", "HEIC"),
        (b"avis\0\0\0\0msf1", "AVIF"),
        (b"qt  \0\0\0\0qt  ", "video (MP4)"),
    ],
)
def test_photos_are_told_by_their_brands(brands, name):
    assert detect_format(struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands) == name
