"""TIFF as scanners, fax servers, cameras and programs of science write it: a page is a picture like any other."""

import numpy as np
import pytest
from PIL import Image
from support.pictures import BITS, RAMP, encoded, fault, ramp
from support.tiff_files import LONG, SHORT, tiff

from batch_infer.decoding.decode import decode
from batch_infer.errors import ImageError

TRANSPOSES = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation: the Image.Transpose that it undoes
LOSSLESS = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"]


def page_fault(data: bytes, page: int) -> tuple[str, str]:
    with pytest.raises(ImageError) as caught:
        decode(data, page)
    return caught.value.code, caught.value.detail


@pytest.mark.parametrize("compression", LOSSLESS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "CMYK"])
def test_pages_come_back_value_for_value(mode, compression):
    try:
        data = encoded(ramp(mode), "TIFF", compression=compression)
    except OSError:
        pytest.skip(f"this Pillow has no {compression}")
    picture = decode(data)
    np.testing.assert_array_equal(picture.grey, RAMP)
    assert (picture.one_channel, picture.lossy) == (mode == "L", False)


@pytest.mark.parametrize("compression", ["raw", "group3", "group4", "tiff_ccitt", "tiff_lzw", "packbits"])
def test_one_bit_becomes_black_and_white(compression):
    picture = decode(encoded(Image.fromarray(BITS), "TIFF", compression=compression))
    np.testing.assert_array_equal(picture.grey, BITS * np.uint8(255))
    assert picture.one_channel


@pytest.mark.parametrize("compression", ["raw", "group4"])
def test_of_white_is_zero_the_ink_is_dark(compression):
    data = encoded(Image.fromarray(BITS), "TIFF", compression=compression, tiffinfo={262: 0})
    np.testing.assert_array_equal(decode(data).grey, BITS * np.uint8(255))
    inverted = tiff(RAMP, change={262: (SHORT, [0])})
    np.testing.assert_array_equal(decode(inverted).grey, 255 - RAMP)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("factor", [257, 256])
def test_16_bits_holding_8_come_back_exactly(order, factor):
    picture = decode(encoded((RAMP.astype(np.uint16) * np.uint16(factor)).astype(order), "TIFF"))
    np.testing.assert_array_equal(picture.grey, RAMP)
    assert not picture.one_channel


@pytest.mark.parametrize("values", [RAMP / np.float32(255), RAMP.astype(np.float32), RAMP.astype(np.int32)])
def test_floats_and_32_bits_are_scaled_as_elsewhere(values):
    np.testing.assert_array_equal(decode(encoded(values, "TIFF")).grey, RAMP)


def test_signed_values_are_scaled_from_the_darkest_to_the_lightest():
    grey = decode(encoded(RAMP.astype(np.int32) * 70_000 - 5_000_000, "TIFF")).grey
    np.testing.assert_array_equal(grey, np.rint(RAMP * (255 / 238)).astype(np.uint8))


def test_nan_is_non_finite():
    values = RAMP.astype(np.float32)
    values[3, 3] = np.nan
    assert fault(encoded(values, "TIFF")) == ("non_finite", "NaN or infinity among the pixels")


def test_jpeg_inside_comes_back_nearly_and_is_lossy():
    picture = decode(encoded(ramp("L"), "TIFF", compression="jpeg", quality=95))
    assert np.abs(picture.grey.astype(int) - RAMP).max() <= 8
    assert picture.lossy


def test_lab_is_its_lightness():
    np.testing.assert_array_equal(
        decode(encoded(Image.merge("LAB", (ramp("L"), ramp("L"), ramp("L"))), "TIFF")).grey, RAMP
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_orientation_is_undone(orientation, compression):
    stored = ramp("L")
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(TRANSPOSES[orientation]))
    picture = decode(encoded(stored, "TIFF", compression=compression, tiffinfo={274: orientation}))
    np.testing.assert_array_equal(picture.grey, RAMP)
    assert picture.one_channel is (orientation == 1)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_each_page_is_a_picture_in_either_order_and_size_of_offsets(big, order):
    data = tiff(RAMP, 255 - RAMP[:, :5], RAMP.T.copy(), big=big, order=order)
    np.testing.assert_array_equal(decode(data, 0).grey, RAMP)
    np.testing.assert_array_equal(decode(data, 1).grey, 255 - RAMP[:, :5])
    np.testing.assert_array_equal(decode(data, 2).grey, RAMP.T)


@pytest.mark.parametrize("tiles", [True, False])
def test_tiles_and_strips_are_put_together(tiles):
    picture = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50).astype(np.uint8)
    if tiles:  # of 16 px, padded at the right and at the bottom
        padded = np.zeros((48, 64), np.uint8)
        padded[:40, :50] = picture
        pieces = [padded[y : y + 16, x : x + 16].tobytes() for y in range(0, 48, 16) for x in range(0, 64, 16)]
        own = {322: (SHORT, [16]), 323: (SHORT, [16]), 324: (LONG, [8 + 256 * n for n in range(12)]),
               325: (LONG, [256] * 12), 273: (LONG, []), 278: (LONG, []), 279: (LONG, [])}  # fmt: skip
        data = tiff(picture, change=own)
        at = data.index(picture.tobytes())
        data = data[:at] + b"".join(pieces) + data[at + picture.size :]
        shift = 12 * 256 - picture.size
        first = int.from_bytes(data[4:8], "little") + shift
        grown = tiff(np.zeros((48, 64), np.uint8), change={**own, 256: (LONG, [50]), 257: (LONG, [40])})
        data = grown[:8] + b"".join(pieces) + grown[8 + 48 * 64 :]
        assert first == int.from_bytes(data[4:8], "little")
    else:  # of 7 rows; the last one says that it has 7, too
        places = [8 + 350 * n for n in range(6)]
        data = tiff(picture, change={278: (LONG, [7]), 273: (LONG, places), 279: (LONG, [350] * 6)})
    np.testing.assert_array_equal(decode(data).grey, picture)


@pytest.mark.parametrize(
    "change", [{279: (LONG, [])}, {279: (LONG, [0])}, {278: (LONG, [])}, {278: (LONG, [2**32 - 1])}]
)
def test_what_writers_forget_is_known_without(change):
    np.testing.assert_array_equal(decode(tiff(RAMP, change=change)).grey, RAMP)


def test_bits_from_the_lowest_up_as_fax_machines_write_them():
    packed = np.packbits(BITS, axis=1, bitorder="little")
    data = tiff(packed, change={256: (LONG, [12]), 258: (SHORT, [1]), 266: (SHORT, [2])})
    np.testing.assert_array_equal(decode(data).grey, BITS * np.uint8(255))


def test_thumbnails_and_masks_are_no_pages():
    thumbnail = encoded(ramp("L"), "TIFF", save_all=True, append_images=[Image.new("L", (3, 3))])
    assert page_fault(thumbnail, 2)[0] == "unreadable"
    kind = {254: (LONG, [1])}
    both = tiff(RAMP, RAMP, change=kind)
    np.testing.assert_array_equal(decode(both).grey, RAMP)  # nothing but thumbnails: the first counts


def test_several_pages_need_a_number():
    detail = "TIFF of 2 pages; these are rows only if its name ends in .tif or .tiff: rename it"
    assert fault(tiff(RAMP, RAMP)) == ("not_an_image", detail)


def test_more_than_a_hundred_pages_are_too_large():
    hundred = [RAMP[:2, :2].copy()] * 100
    np.testing.assert_array_equal(decode(tiff(*hundred), 99).grey, RAMP[:2, :2])
    detail = "TIFF: more than 100 pages; split it, for example with tiffsplit"
    assert page_fault(tiff(*hundred, RAMP), 0) == ("too_large", detail)


def test_large_pages_are_averaged_down():
    wide = Image.new("1", (3000, 40), 0)
    wide.paste(1, (1500, 0, 3000, 40))
    grey = decode(encoded(wide, "TIFF", compression="group4")).grey
    assert max(grey.shape) <= 1024
    assert grey[:, :400].mean() < grey[:, -400:].mean()


def test_a_cameras_raw_data_are_no_picture():
    detail = "camera raw (DNG); develop it and save it as PNG or JPEG"
    assert fault(tiff(RAMP, change={50_706: (LONG, [0x0401])})) == ("not_an_image", detail)
    assert fault(tiff(RAMP, change={262: (SHORT, [32_803])})) == ("not_an_image", detail)
