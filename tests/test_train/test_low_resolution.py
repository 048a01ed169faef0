"""Low-resolution copies: downsampling, upsampling, and that the batch job's normalization gives much the same."""

import numpy as np
import pytest
import torch
from PIL import Image

from batch_infer.contract import IMAGE_SIZE
from batch_infer.normalization.pipeline import normalize
from train.augmentation import low_resolution
from train.augmentation.drawing import measure_ink
from train.augmentation.low_resolution import (
    BOX_SIZE,
    RESOLUTION,
    downsampling_matrix,
    simulate_low_resolution,
    upsampling_matrix,
)
from train.data import load_data


@pytest.fixture(scope="module")
def images():
    """2,000 training images (N, 28, 28) float32."""
    return torch.from_numpy(load_data().train.images[:2000]).float()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_cell_is_the_mean_of_its_pixels():
    matrix = downsampling_matrix(torch.tensor([4.0]), torch.tensor([20.0]), torch.tensor([10.0]))[0]  # (24, 28)
    assert matrix[0].tolist() == pytest.approx([0.0] * 4 + [0.5] * 2 + [0.0] * 22)
    assert matrix[9, 22:24].tolist() == pytest.approx([0.5, 0.5])
    assert matrix[10:].eq(0).all()


def test_upsampling_is_linear_inside_the_box_and_blank_outside():
    matrix = upsampling_matrix(torch.tensor([20.0]), torch.tensor([10.0]))[0]  # (28, 24)
    assert matrix.sum(1).tolist() == pytest.approx([0.0] * 4 + [1.0] * 20 + [0.0] * 4)
    assert matrix[4, :2].tolist() == pytest.approx([1, 0])  # left of the first cell's middle
    assert matrix[5, :2].tolist() == pytest.approx([0.75, 0.25])


def test_the_ink_fills_the_box(images):
    box = measure_ink(simulate_low_resolution(images, seeded()))
    longer = torch.maximum(box.bottom - box.top, box.right - box.left) + 1
    assert ((longer > BOX_SIZE - 5) & (longer <= BOX_SIZE)).float().mean() > 0.95
    assert abs(float((box.top + box.bottom).median()) / 2 - (IMAGE_SIZE - 1) / 2) <= 0.5


def test_full_ink_is_255_in_every_image(images):
    torch.testing.assert_close(
        simulate_low_resolution(images, seeded()).amax((1, 2)), torch.full((len(images),), 255.0)
    )


def test_every_image_gets_a_resolution_of_its_own(images):
    """A few of one bit and few pixels are alike."""
    assert len(simulate_low_resolution(images[:1].expand(200, -1, -1), seeded()).flatten(1).unique(dim=0)) > 50


def test_the_same_seed_gives_the_same_pixels(images):
    first, second, other = (simulate_low_resolution(images[:100], seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_narrow_digits_become_wider_but_not_square_blocks(images):
    one = images[3:4].expand(500, -1, -1)  # a 1
    before, after = measure_ink(one), measure_ink(simulate_low_resolution(one, seeded()))
    ratio = (after.right - after.left + 1) / (before.right - before.left + 1)
    assert ratio.max() <= low_resolution.MAX_STRETCH * BOX_SIZE / 18
    assert ratio.max() > 1.5


def test_a_blank_image_stays_blank_and_finite():
    coarse = simulate_low_resolution(torch.zeros(50, IMAGE_SIZE, IMAGE_SIZE), seeded())
    assert coarse.eq(0).all()


def test_it_agrees_with_normalization_of_a_low_resolution_picture(images, monkeypatch):
    """Cropped and reduced to 16 px by Pillow, then normalized, which also evens out stroke widths."""
    monkeypatch.setattr(low_resolution, "RESOLUTION", (16, RESOLUTION[1]))
    monkeypatch.setattr(low_resolution, "STRETCH_SHARE", 0.0)
    monkeypatch.setattr(low_resolution, "BILEVEL_SHARE", 0.0)
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.zeros(*shape))  # the fewest cells
    alike = []
    for image, found in zip(images[:50], simulate_low_resolution(images[:50], seeded()), strict=True):
        box = measure_ink(image.unsqueeze(0))
        part = image[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1].numpy().astype(np.uint8)
        scale = 16 / max(part.shape)
        size = [max(2, round(side * scale)) for side in part.shape[::-1]]
        coarse = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BOX))
        fitted = normalize(np.pad(coarse, 2))
        assert fitted is not None
        shifts = [np.roll(fitted, (y, x), (0, 1)) for y in range(-3, 4) for x in range(-3, 4)]
        alike.append(max(np.corrcoef(shift.ravel(), found.numpy().ravel())[0, 1] for shift in shifts))
    assert np.median(alike) > 0.9
