"""Colour and alpha → grey: what is transparent is no ink, what differs in colour is."""

import numpy as np
from PIL import Image
from support.pictures import BITS, RAMP, encoded, ramp

from batch_infer.decoding.decode import decode


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


def test_coloured_ink_as_bright_as_its_paper_is_seen():
    picture = Image.new("RGB", (12, 10), (80, 155, 90))
    picture.paste((220, 90, 90), (4, 2, 8, 8))
    assert np.ptp(np.asarray(picture.convert("L")).astype(int)) < 15
    grey = decode(encoded(picture)).grey
    assert abs(int(grey[5, 5]) - int(grey[0, 0])) > 200
