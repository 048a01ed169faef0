"""The renditions: pictures that decode, depend on the seed alone, and show what their kind says."""

import numpy as np
import pytest
from support.helpers import script

from batch_infer.decoding.decode import decode


@pytest.fixture(scope="module")
def catalogue():
    return script("renditions/catalogue")


@pytest.fixture(scope="module")
def digits(catalogue):
    return catalogue.training_digits()


def test_there_are_all_groups_of_kinds(catalogue):
    expected = {kind.expected for kind in catalogue.KINDS.values()}
    assert expected == {"digit", "several", "none"}
    assert len(catalogue.KINDS) > 110
    for name, kind in catalogue.KINDS.items():
        assert (kind.expected == "several") == name.startswith("several: ")
        assert (kind.expected == "none") == name.startswith("empty: ")
        assert kind.expected != "several" or kind.given[0] >= 2


def test_every_kind_draws_a_picture_that_decodes(catalogue, digits):
    for name, kind in catalogue.KINDS.items():
        drawn = catalogue.draw(name, *digits, 2, 5)
        assert len(drawn.files) == len(drawn.labels) == 2
        assert set(map(str, drawn.labels.tolist())) <= set(kind.classes)
        for data in drawn.files:
            grey = decode(data).grey
            assert grey.ndim == 2, name
            assert min(grey.shape) >= 8, name
            assert grey.min() < grey.max(), name
            assert not kind.corruption or grey.shape == (28, 28), name


@pytest.mark.parametrize("name", ["several: boxes", "single: unit", "panel: photo of a screen", "weak: fax"])
def test_pictures_depend_on_kind_and_seed_alone(catalogue, digits, name):
    first = catalogue.draw(name, *digits, 3, 7)
    again = catalogue.draw(name, *digits, 5, 7)
    assert again.files[:3] == first.files
    assert again.labels[:3].tolist() == first.labels.tolist()
    assert catalogue.draw(name, *digits, 3, 8).files != first.files


def test_they_are_drawn_of_training_digits(digits, mnist):
    images, labels = digits
    assert images.shape == (10_000, 28, 28)
    assert labels.shape == (10_000,)
    assert not (images[:, None] == mnist.images[:5]).all((2, 3)).any()


def test_a_cut_parts_a_digit(catalogue, digits):
    """Of a 1 cut across, two parts stay, with empty rows between."""
    rng = np.random.default_rng(3)
    one = digits[0][np.flatnonzero(digits[1] == 1)[0]]
    ink = catalogue.company.cut(one, rng, upright=False, at=(0.4, 0.6))
    rows = np.flatnonzero((ink > 0.3).any(1))
    assert np.diff(rows).max() > 1


def test_bands_leave_the_digit_as_it_was_outside(catalogue, digits):
    rng = np.random.default_rng(4)
    digit = digits[0][0]
    for _ in range(20):
        changed = catalogue.corruptions.bands(digit, rng, both=False) != digit
        inverted = catalogue.corruptions.bands(digit, rng, both=True)
        assert 5 * 28 <= np.count_nonzero(changed) <= 8 * 28
        assert set(np.unique(np.where(inverted == digit, 0, np.abs(inverted - (255.0 - digit))))) == {0}
