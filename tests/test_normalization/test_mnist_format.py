"""Which images are in MNIST's format: what the docstring says, at each limit, for any number of images."""

import numpy as np
import pytest

from batch_infer.normalization.mnist_format import BLOCK, SIDE, mnist_format_mask

# A bar 20 px long in the middle: in the format, with room to spare.
BAR = np.zeros((SIDE, SIDE), np.uint8)
BAR[4:24, 13:16] = 255


def bar(*at, to) -> np.ndarray:
    """The bar with some pixels set."""
    image = BAR.copy()
    image[at] = to
    return image


def shifted(*, down: int = 0, right: int = 0) -> np.ndarray:
    return np.roll(BAR, (down, right), (0, 1))


def as_documented(image: np.ndarray) -> bool:
    """The rules, one after the other, in exact whole numbers."""
    inked = np.count_nonzero(image)
    border = inked - np.count_nonzero(image[1:-1, 1:-1])
    if 2 * inked > 784 or border > 10 or image.max() < 192:
        return False
    places = np.argwhere(image > 32)
    longest = int((np.ptp(places, axis=0) + 1).max())
    weights = image.astype(np.int64)
    offsets = np.arange(28) - 14
    off = max(abs(int((weights.sum(1) * offsets).sum())), abs(int((weights.sum(0) * offsets).sum())))
    return 16 <= longest <= 24 and 2 * off <= 3 * int(weights.sum())


def changed(images):
    """Every image moved, cut, dimmed, spotted or emptied a little: near the limits of the format, on both sides."""
    rng = np.random.default_rng(0)
    results = images.copy()
    for number, image in enumerate(images):
        kind = number % 6
        if kind == 0:
            results[number] = np.roll(image, rng.integers(-3, 4, 2), (0, 1))
        elif kind == 1:
            results[number] = np.where(image > rng.integers(0, 255), image, 0)
        elif kind == 2:
            results[number] = image * rng.uniform(0.6, 1)
        elif kind == 3:
            results[number, 0, : rng.integers(0, 28)] = 1
        elif kind == 4:
            results[number] = np.maximum(image, rng.integers(0, 2, (28, 28)) * rng.integers(0, 40))
        else:
            results[number] = image * (rng.random() < 0.5)
    return results


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (BAR, True),
        (255 - BAR, False),  # the caller inverts
        (bar(0, slice(10), to=1), True),  # 10 border pixels are not black
        (bar(0, slice(11), to=1), False),
        (bar(slice(11), 27, to=1), False),
        (bar(slice(1, 15), slice(1, 13), to=1), True),  # not half of the pixels are lit
        (bar(slice(1, 27), slice(1, 13), to=1), True),
        (bar(slice(1, 27), slice(1, 16), to=1), False),
        (np.minimum(BAR, 192), True),  # the brightest
        (np.minimum(BAR, 191), False),
        (shifted(down=1), True),  # its centre lies 0.5 px below (14, 14)
        (shifted(down=2), True),  # 1.5 px
        (shifted(down=3), False),
        (shifted(right=1), True),
        (shifted(right=2), False),
    ],
)
def test_the_format_is_what_the_docstring_says(image, expected):
    assert mnist_format_mask(image[np.newaxis]).tolist() == [expected]
    assert as_documented(image) is expected


@pytest.mark.parametrize("length", range(10, 28))
def test_the_longer_side_is_16_to_24_px_long(length):
    image = np.zeros((SIDE, SIDE), np.uint8)
    top = 14 - length // 2
    image[top : top + length, 13:16] = 255
    assert mnist_format_mask(np.stack([image, image.T])).tolist() == [16 <= length <= 24] * 2


@pytest.mark.parametrize("faint", [32, 33])
def test_only_pixels_above_32_count_for_the_length(faint):
    image = bar(slice(1, 4), 14, to=faint)  # 20 px, or 23
    image[24:27, 14] = faint  # or 26
    assert mnist_format_mask(image[np.newaxis]).tolist() == [faint == 32]


def test_a_batch_has_the_answers_of_the_rules_one_by_one(mnist):
    images = changed(mnist.images[:6000])
    one_by_one = np.array([as_documented(image) for image in images])
    assert 0.2 < one_by_one.mean() < 0.8
    np.testing.assert_array_equal(mnist_format_mask(images), one_by_one)


@pytest.mark.parametrize("count", [0, 1, BLOCK, BLOCK + 1])
def test_any_number_of_images(mnist, count):
    assert mnist_format_mask(mnist.images[:count]).tolist() == [True] * count


def test_images_that_do_not_lie_one_behind_the_other(mnist):
    turned = np.asfortranarray(mnist.images[:300])
    assert mnist_format_mask(turned).tolist() == [True] * 300
    assert mnist_format_mask(mnist.images[:300, ::-1].swapaxes(1, 2)).all()
