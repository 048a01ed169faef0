"""MNIST's form, told for whole batches: the same answers as one image at a time."""

import numpy as np
import pytest

from batch_infer.normalization.mnist_format import BLOCK, is_mnist_format, mnist_format_mask


def changed(images):
    """Every image moved, cut, dimmed, spotted or emptied a little: near the limits of the form, on both sides."""
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


def test_a_batch_is_told_as_its_images_are(mnist):
    images = changed(mnist.images[:6000])
    one_by_one = np.array([is_mnist_format(image) for image in images])
    assert 0.2 < one_by_one.mean() < 0.8
    np.testing.assert_array_equal(mnist_format_mask(images), one_by_one)


@pytest.mark.parametrize("count", [0, 1, BLOCK, BLOCK + 1])
def test_any_number_of_images(mnist, count):
    assert mnist_format_mask(mnist.images[:count]).tolist() == [True] * count
