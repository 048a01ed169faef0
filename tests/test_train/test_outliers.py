"""Outliers: their kinds, and that a model trained on them has lower confidence on new ones."""

import pytest
import torch

from batch_infer.contract import IMAGE_SIZE
from train.augmentation.augment import make_distorted_outliers
from train.augmentation.outliers import (
    TRANSFORMS,
    draw_noise,
    draw_scribbles,
    draw_symbols,
    make_outliers,
    merge_pairs,
    rotate_or_mirror,
)
from train.data import load_data
from train.fitting.feature_cache import OUTLIER, cache_features, compute_logits
from train.fitting.optimizers import Lbfgs, target_probabilities
from train.model.features import Strokes
from train.recipes import RECIPES


@pytest.fixture(scope="module")
def digits():
    """4,000 training images (N, 28, 28) uint8 and their labels (N,) int64."""
    train = load_data().train
    return torch.from_numpy(train.images[:4000]), torch.from_numpy(train.labels[:4000]).long()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_transform_turns_a_digit_into_a_digit():
    """0, 1, 8 stay what they are under most turns, 6 and 9 become each other, 2 and 5 mirrored look like each other."""
    quarter_left, quarter_right, mirrored, flipped, upside_down = (set(kinds) for _, kinds in TRANSFORMS)
    assert not quarter_left & {0, 1, 8}
    assert not quarter_right & {0, 1, 8}
    assert not mirrored & {0, 1, 2, 5, 8}
    assert not flipped & {0, 1, 2, 3, 5, 6, 8, 9}
    assert not upside_down & {0, 1, 2, 5, 6, 8, 9}


def test_digits_are_rotated_or_mirrored_and_others_merged_in_pairs(digits):
    images, labels = digits[0][:1000].float(), digits[1][:1000]
    before = images.clone()
    found = rotate_or_mirror(images, labels, seeded())
    assert torch.equal(images, before)
    transformed = torch.stack([transform(images) for transform, _ in TRANSFORMS])  # (5, N, 28, 28)
    is_transformed = (transformed == found).flatten(2).all(2)
    for digit in range(10):
        found_digit = is_transformed[:, labels == digit].any(1)
        assert found_digit.tolist() == [digit in kinds for _, kinds in TRANSFORMS], digit


def test_a_pair_is_two_digits_at_half_their_width():
    left, right = torch.zeros(IMAGE_SIZE, IMAGE_SIZE), torch.zeros(IMAGE_SIZE, IMAGE_SIZE)
    left[4:24, 10:18], right[10:14, 4:24] = 200, 100
    pair = merge_pairs(torch.stack([left, right]), seeded(1))[0]
    assert pair[10, :4].eq(0).all()
    assert pair[5, 7:11].eq(200).all()  # columns 10 … 17 of the left one, in half as many
    assert set(pair[:, 14:24].unique().tolist()) <= {0.0, 100.0, 200.0}


@pytest.mark.parametrize("maker", [draw_scribbles, draw_symbols, draw_noise])
def test_drawn_outliers_have_ink_and_no_two_are_alike(maker):
    images = maker(200, seeded())
    assert tuple(images.shape) == (200, IMAGE_SIZE, IMAGE_SIZE)
    assert images.isfinite().all()
    assert images.min() >= 0
    assert images.max() <= 255
    assert (images.amax((1, 2)) > 100).all()
    assert len(images.flatten(1).unique(dim=0)) == 200


@pytest.mark.parametrize("count", [1, 4, 5, 503])
def test_there_is_one_for_each_image_and_the_same_seed_gives_the_same(digits, count):
    images, labels = digits[0][:count], digits[1][:count]
    first, second, other = (make_distorted_outliers(images, labels, seeded(seed)) for seed in (1, 1, 2))
    assert (first.dtype, tuple(first.shape)) == (torch.uint8, (count, IMAGE_SIZE, IMAGE_SIZE))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_they_are_not_the_digits_they_are_made_from(digits):
    images = digits[0][:500].float()
    made = make_outliers(images, digits[1][:500], seeded())
    assert not (made == images).flatten(1).all(1).any()


def test_targets_are_one_hot_for_digits_and_uniform_for_outliers():
    assert target_probabilities(torch.tensor([2, OUTLIER]), 4).tolist() == [[0, 0, 1, 0], [0.25] * 4]


def confidence(linear, images):
    return compute_logits(linear, Strokes()(images)).softmax(1).amax(1)


@pytest.mark.slow
def test_a_model_trained_on_outliers_is_less_confident_on_new_ones_and_as_accurate_on_digits(digits):
    features, hyper = Strokes(), RECIPES["strokes"].hyperparameters(augment=True)
    images, labels = (part[:3000] for part in digits)
    held_out, true = (part[3000:] for part in digits)
    fresh = make_distorted_outliers(held_out, true, seeded(2))
    medians, right = [], []
    for count in (0, 200):
        train = cache_features(features, images, labels, copies=1, outliers=count, seed=0)
        linear = torch.nn.Linear(features.size, 10)
        lbfgs = Lbfgs(linear, train, hyper, 0)
        for _ in range(8):
            lbfgs.run_epoch()
        medians.append(float(confidence(linear, fresh).median()))
        right.append(float((compute_logits(linear, features(held_out)).argmax(1) == true).float().mean()))
    assert medians[1] < medians[0] - 0.05
    assert right[1] > right[0] - 0.01
