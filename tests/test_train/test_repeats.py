"""How often one's own digits are repeated: as often as it helps, and once where it does not."""

import numpy as np
import pytest
import torch

from train.fitting.repeats import GRID, NEGLIGIBLE, choose_repeats
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


def test_what_mnist_knows_is_not_repeated(choose, mnist):
    rows = slice(COUNT, COUNT + 60)
    choice = choose(own_digits(mnist.images[rows], mnist.labels[rows]))
    assert choice.grid == tuple(number for number in GRID if number * 60 <= COUNT / 4)
    assert choice.repeats == 1


def test_what_is_chosen_is_the_smallest_that_is_hardly_worse_than_the_best(choose, mnist):
    rows = slice(COUNT, COUNT + 30)
    for images in (mnist.images[rows], np.roll(mnist.images[rows], 4, axis=2), mnist.images[rows, ::-1]):
        choice = choose(own_digits(images, mnist.labels[rows]))
        assert choice.grid == GRID
        best = min(choice.losses)
        assert choice.repeats <= choice.grid[choice.losses.index(best)]
        near = [number for number, loss in zip(GRID, choice.losses, strict=True) if loss <= (1 + NEGLIGIBLE) * best]
        assert choice.repeats <= near[0]


def test_the_same_seed_chooses_the_same(choose, mnist):
    rows = slice(COUNT, COUNT + 40)
    first, second = (choose(own_digits(mnist.images[rows], mnist.labels[rows]), copies=3, seed=7) for _ in range(2))
    assert (first.repeats, first.losses, first.errors) == (second.repeats, second.losses, second.errors)


@pytest.mark.parametrize(("count", "repeats"), [(5, 4), (19, 4), (600, 1)])
def test_where_there_is_no_choice_nothing_is_fitted(choose, mnist, count, repeats):
    rows = slice(COUNT, COUNT + count)
    choice = choose(own_digits(mnist.images[rows], mnist.labels[rows]))
    assert choice == type(choice)(repeats, (), (), (), 0.0)
