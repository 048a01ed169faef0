"""Fixed preprocessing: deskewing, and stability on edge images."""

import numpy as np
import pytest
import torch

from export.parity import edge_images
from train.data import load_data
from train.model.features import FEATURES, Deskew
from train.recipes import RECIPES


def slanted_bar(shear, down=0, right=0):
    """A bar four pixels wide and sixteen high, sheared and moved."""
    image = torch.zeros(28, 28, dtype=torch.uint8)
    for row in range(6 + down, 22 + down):
        column = round(13.5 + right + shear * (row - 13.5 - down))
        image[row, column - 2 : column + 2] = 255
    return image


def moments(image):
    image = image.double()
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    mass = image.sum()
    center_x, center_y = (image * x).sum() / mass, (image * y).sum() / mass
    return center_x, center_y, (image * (x - center_x) * (y - center_y)).sum() / mass


@pytest.mark.parametrize("shear", [-0.6, -0.2, 0.0, 0.3, 0.6])
@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -4), (-5, 2)])
def test_deskew_centers_and_removes_slant(shear, down, right):
    deskewed = Deskew()(slanted_bar(shear, down, right).unsqueeze(0)).reshape(28, 28)
    center_x, center_y, covariance = moments(deskewed)
    assert abs(center_x - 13.5) < 0.3
    assert abs(center_y - 13.5) < 0.3
    assert abs(covariance) < 0.15 * abs(moments(slanted_bar(shear, down, right))[2]) + 0.1


def test_deskew_leaves_a_centered_digit_without_slant_as_it_is():
    bar = slanted_bar(0)
    deskewed = Deskew()(bar.unsqueeze(0)).reshape(28, 28)
    assert (deskewed - bar / 255).abs().max() < 0.6  # half a pixel may be shared between neighbours
    assert deskewed.sum() == pytest.approx(float(bar.sum()) / 255, rel=1e-3)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_features_of_edge_images_are_finite(recipe):
    features = FEATURES[recipe]()(torch.from_numpy(edge_images()))
    assert features.shape == (24, FEATURES[recipe].size)
    assert features.dtype == torch.float32
    assert features.isfinite().all()


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_features_of_an_image_do_not_depend_on_its_neighbours(recipe):
    features = FEATURES[recipe]()
    images = torch.from_numpy(load_data().train.images[:64])
    torch.testing.assert_close(features(images)[5:6], features(images[5:6]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_features_have_no_parameters(recipe):
    features = FEATURES[recipe]()
    assert features.state_dict() == {}
    assert not list(features.parameters())


def test_edge_images_are_all_different():
    assert len(np.unique(edge_images().reshape(24, -1), axis=0)) == 24
