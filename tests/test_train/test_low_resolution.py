"""Coarse scans: what a cell holds, how it is enlarged again, and that the batch job's normaliser does alike."""

import numpy as np
import pytest
import torch
from PIL import Image

from batch_infer.normalization.pipeline import normalize
from train.augmentation import low_resolution as rescanning
from train.augmentation.drawing import SIDE, extent
from train.augmentation.low_resolution import BOX, CELLS, enlarging, rescan, shrinking
from train.data import load_data


@pytest.fixture(scope="module")
def images():
    """2,000 training images (N, 28, 28) float32."""
    return torch.from_numpy(load_data().train.images[:2000]).float()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_cell_is_the_mean_of_its_pixels():
    matrix = shrinking(torch.tensor([4.0]), torch.tensor([20.0]), torch.tensor([10.0]))[0]  # (24, 28)
    assert matrix[0].tolist() == pytest.approx([0.0] * 4 + [0.5] * 2 + [0.0] * 22)
    assert matrix[9, 22:24].tolist() == pytest.approx([0.5, 0.5])
    assert matrix[10:].eq(0).all()


def test_enlarging_is_linear_inside_the_box_and_blank_outside():
    matrix = enlarging(torch.tensor([20.0]), torch.tensor([10.0]))[0]  # (28, 24)
    assert matrix.sum(1).tolist() == pytest.approx([0.0] * 4 + [1.0] * 20 + [0.0] * 4)
    assert matrix[4, :2].tolist() == pytest.approx([1, 0])  # left of the first cell's middle
    assert matrix[5, :2].tolist() == pytest.approx([0.75, 0.25])


def test_the_ink_fills_the_box(images):
    box = extent(rescan(images, seeded()))
    longer = torch.maximum(box.bottom - box.top, box.right - box.left) + 1
    assert ((longer > BOX - 5) & (longer <= BOX)).float().mean() > 0.95
    assert abs(float((box.top + box.bottom).median()) / 2 - (SIDE - 1) / 2) <= 0.5


def test_full_ink_is_255_and_no_digit_is_lost(images):
    torch.testing.assert_close(rescan(images, seeded()).amax((1, 2)), torch.full((len(images),), 255.0))


def test_every_image_is_scanned_in_a_way_of_its_own(images):
    """A few scans of one bit and few cells are alike."""
    assert len(rescan(images[:1].expand(200, -1, -1), seeded()).flatten(1).unique(dim=0)) > 50


def test_the_same_seed_gives_the_same_pixels(images):
    first, second, other = (rescan(images[:100], seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_narrow_digits_become_wider_but_not_square_blocks(images):
    one = images[3:4].expand(500, -1, -1)  # a 1
    before, after = extent(one), extent(rescan(one, seeded()))
    ratio = (after.right - after.left + 1) / (before.right - before.left + 1)
    assert ratio.max() <= rescanning.STRETCH * BOX / 18
    assert ratio.max() > 1.5


def test_a_blank_image_stays_blank_and_finite():
    scanned = rescan(torch.zeros(50, SIDE, SIDE), seeded())
    assert scanned.eq(0).all()


def test_it_is_about_what_the_normaliser_makes_of_a_coarse_picture(images, monkeypatch):
    """Cut to the ink and shrunk to 16 px by Pillow, then normalised; the stroke widths that it evens out stay free."""
    monkeypatch.setattr(rescanning, "CELLS", (16, CELLS[1]))
    monkeypatch.setattr(rescanning, "STRETCHED", 0.0)
    monkeypatch.setattr(rescanning, "BILEVEL", 0.0)
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.zeros(*shape))  # the fewest cells
    alike = []
    for image, found in zip(images[:50], rescan(images[:50], seeded()), strict=True):
        box = extent(image.unsqueeze(0))
        part = image[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1].numpy().astype(np.uint8)
        scale = 16 / max(part.shape)
        size = [max(2, round(side * scale)) for side in part.shape[::-1]]
        coarse = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BOX))
        fitted = normalize(np.pad(coarse, 2))
        assert fitted is not None
        shifts = [np.roll(fitted, (y, x), (0, 1)) for y in range(-3, 4) for x in range(-3, 4)]
        alike.append(max(np.corrcoef(shift.ravel(), found.numpy().ravel())[0, 1] for shift in shifts))
    assert np.median(alike) > 0.9
