"""Small copies for people: their size, their levels, and that they are copies."""

import numpy as np
import pytest

from batch_infer.decoding.pixels.thumbnail import thumbnail


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((96, 96), (96, 96)),
        ((97, 50), (48, 25)),
        ((1000, 700), (90, 63)),
        ((1, 5000), (1, 94)),
        ((5000, 1), (94, 1)),
        ((1, 1), (1, 1)),
    ],
)
def test_both_sides_are_at_most_96_pixels(shape, expected):
    assert thumbnail(np.zeros(shape, np.uint8)).shape == expected


@pytest.mark.parametrize("side", [20, 100, 200, 400, 1000, 4000])
@pytest.mark.parametrize("level", [0, 1, 200, 255])
def test_a_flat_picture_keeps_its_level(side, level):
    assert (thumbnail(np.full((side, side), level, np.uint8)) == level).all()


def test_blocks_are_averaged():
    picture = np.zeros((192, 192), np.uint8)
    picture[::2, ::2] = 200
    assert (thumbnail(picture) == 50).all()


def test_a_small_picture_is_copied():
    picture = np.zeros((50, 50), np.uint8)
    small = thumbnail(picture)
    picture[:] = 9
    assert not small.any()
