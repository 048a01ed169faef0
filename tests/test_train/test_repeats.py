"""How often one's own digits are repeated: more of those that differ from MNIST, fewer of those that do not."""

import numpy as np
import pytest
import torch

from train.fitting.repeats import GRID, choose_repeats
from train.model.softmax import SoftmaxRegression
from train.own_digits import OwnDigits, digests_of

COUNT = 2000


@pytest.fixture(scope="module")
def pixels():
    return SoftmaxRegression("pixels")


def own_digits(images, labels):
    images = np.ascontiguousarray(images)
    return OwnDigits(images, labels.astype(np.int8), digests_of(images), {})


@pytest.fixture
def choose(pixels, mnist):
    images, labels = torch.from_numpy(mnist.images[:COUNT]), torch.from_numpy(mnist.labels[:COUNT])

    def choose(own, **options):
        return choose_repeats(pixels, images, labels, own, **options)

    return choose


def test_other_handwriting_is_repeated_and_mnists_own_is_not(choose, mnist):
    rows = slice(COUNT, COUNT + 60)
    alike = choose(own_digits(mnist.images[rows], mnist.labels[rows]))
    upside_down = choose(own_digits(mnist.images[rows, ::-1], mnist.labels[rows]))
    assert alike.grid == upside_down.grid == tuple(number for number in GRID if number * 60 <= COUNT / 4)
    assert alike.repeats == 1
    assert upside_down.repeats == max(upside_down.grid)
    assert upside_down.losses[0] > upside_down.losses[-1]


def test_the_same_seed_chooses_the_same(choose, mnist):
    rows = slice(COUNT, COUNT + 40)
    first, second = (choose(own_digits(mnist.images[rows], mnist.labels[rows]), copies=3, seed=7) for _ in range(2))
    assert (first.repeats, first.losses, first.errors) == (second.repeats, second.losses, second.errors)


@pytest.mark.parametrize(("count", "repeats"), [(5, 4), (19, 4), (600, 1)])
def test_where_there_is_no_choice_nothing_is_fitted(choose, mnist, count, repeats):
    rows = slice(COUNT, COUNT + count)
    choice = choose(own_digits(mnist.images[rows], mnist.labels[rows]))
    assert choice == type(choice)(repeats, (), (), (), 0.0)
