"""Distorted copies: their randomness, and their geometry against torchvision's (the reference, one image at a time)."""

import math

import numpy as np
import pytest
import torch

from batch_infer.contract import IMAGE_SIZE
from train.augmentation import augment as augment_module
from train.augmentation.augment import (
    CORRELATION_LENGTH,
    ELASTIC_ALPHA,
    augment,
    deform,
    make_distorted_outliers,
    random_affine,
    random_displacements,
)
from train.augmentation.regional_strokes import (
    BAR_SHARE,
    FOOT_SHARE,
    SLASH_SHARE,
    UPSTROKE_SHARE,
    add_regional_strokes,
)
from train.data import load_data
from train.fitting.feature_cache import CHUNK, OUTLIER, cache_features
from train.model.features import Pixels


@pytest.fixture(scope="module")
def digits():
    """The first 20,000 training images (N, 28, 28) uint8 and their labels (N,) int64."""
    train = load_data().train
    return torch.from_numpy(train.images[:20_000]), torch.from_numpy(train.labels[:20_000]).long()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def fix_uniform(monkeypatch, value):
    """Make all random numbers of `uniform` the same."""
    monkeypatch.setattr(augment_module, "uniform", lambda count, *_: torch.full((count,), float(value)))


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others(digits):
    images, labels = (part[:200] for part in digits)
    first, second, other = (augment(images, labels, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert (first != other).flatten(1).any(1).all()


def test_every_image_gets_a_distortion_of_its_own(digits):
    images, labels = (part[:1].expand(200, *part.shape[1:]) for part in digits)
    assert len(augment(images, labels, seeded()).flatten(1).unique(dim=0)) == 200


def test_the_result_is_images_and_the_arguments_stay(digits):
    images, labels = (part[:50].clone() for part in digits)
    changed = augment(images, labels, seeded())
    assert (changed.dtype, tuple(changed.shape)) == (torch.uint8, (50, 28, 28))
    assert torch.equal(images, digits[0][:50])
    assert torch.equal(labels, digits[1][:50])
    assert (changed != images).flatten(1).any(1).all()


def test_ink_and_its_place_stay_about_the_same(digits):
    images, labels = (part[:2000] for part in digits)
    changed = augment(images, labels, seeded())
    ratio = changed.float().sum((1, 2)) / images.float().sum((1, 2))
    assert 0.9 < ratio.median() < 1.2
    assert ratio.quantile(0.01) > 0.3
    assert changed.float().mean(0).argmax() // IMAGE_SIZE in range(11, 17)


def test_copies_follow_the_images_with_the_same_labels_and_outliers_follow_them(digits):
    images, labels = (part[: CHUNK + 20] for part in digits)  # one chunk and a bit
    cached = cache_features(Pixels(), images, labels, "cpu", copies=2, outliers=30, seed=5)
    count, generator = len(images), seeded(5)
    assert cached.features.dtype == torch.float16
    assert torch.equal(cached.labels, torch.cat([labels] * 3 + [torch.full((30,), OUTLIER)]))
    expected = [images]
    for _ in range(2):
        expected += [
            augment(batch, their_labels, generator)
            for batch, their_labels in zip(images.split(CHUNK), labels.split(CHUNK), strict=True)
        ]
    sources = torch.randint(count, (30,), generator=generator)
    expected.append(make_distorted_outliers(images[sources], labels[sources], generator))
    assert torch.equal(cached.features, Pixels()(torch.cat(expected)).half())
    assert len(cached) == 3 * count + 30


# --- affine -----------------------------------------------------------------------------------------------------------


def torchvisions_affine(image, to_source):
    """Resample one image (28, 28) with torchvision, which has angle, shears, scale and shift instead of a matrix."""
    from torchvision.transforms import InterpolationMode, v2  # takes seconds, so that only who needs it waits

    forward = np.linalg.inv(to_source[:, :2])
    shift = -forward @ to_source[:, 2] * IMAGE_SIZE / 2
    scale = math.sqrt(np.linalg.det(forward))
    first, second = (forward / scale).T  # its columns
    # Torchvision's matrix: first = (cos φ, sin φ) / cos y; second = (-sin a, cos a) - tan x · first; a = φ + y.
    if np.linalg.norm(first) < 1:  # no such angle; with rows and columns exchanged there is (the determinant is one)
        return torchvisions_affine(image.T, to_source[::-1][:, [1, 0, 2]]).T
    y = math.acos(1 / np.linalg.norm(first))
    angle = math.atan2(first[1], first[0]) + y
    x = -math.atan(((second - [-math.sin(angle), math.cos(angle)]) @ first) / (first @ first))
    degrees = [math.degrees(value) for value in (angle, x, y)]
    return v2.functional.affine(
        image.unsqueeze(0), degrees[0], shift.tolist(), scale, degrees[1:], InterpolationMode.BILINEAR
    )[0]


@pytest.mark.slow
def test_the_affine_map_agrees_with_torchvision(digits, monkeypatch):
    """Both interpolate linearly; coordinates rounded to float32 (1e-6 of 28 pixels) move a gray level by under 0.05."""
    monkeypatch.setattr(augment_module, "ELASTIC_ALPHA", 0.0)
    images = digits[0][:200].float()
    found = deform(images, seeded(1))
    for image, matrix, bent in zip(images, random_affine(200, seeded(1)).double().numpy(), found, strict=True):
        torch.testing.assert_close(bent, torchvisions_affine(image, matrix), rtol=0, atol=0.05)


def test_affine_maps_keep_their_limits():
    maps = random_affine(5000, seeded()).double()
    determinant = torch.linalg.det(maps[:, :, :2])
    assert determinant.log().abs().max() <= 2 * augment_module.LOG_SCALE + 1e-6  # shear and aspect keep the area
    assert maps[:, :, 2].abs().max() <= augment_module.SHIFT * 2 / IMAGE_SIZE
    assert maps.mean(0).sub(torch.tensor([[1, 0, 0], [0, 1, 0]])).abs().max() < 0.02  # to no side on the whole


# --- elastic ----------------------------------------------------------------------------------------------------------


def correlation(fields, apart):
    """Correlation of (N, rows, columns) displacements with those so many columns apart."""
    left, right = fields[:, :, :-apart], fields[:, :, apart:]
    return float((left * right).mean() / (left.square().mean() * right.square().mean()).sqrt())


def test_displacements_have_the_same_size_at_every_pixel(monkeypatch):
    fix_uniform(monkeypatch, ELASTIC_ALPHA * 2 / IMAGE_SIZE)
    pixels = random_displacements(5000, seeded()) * IMAGE_SIZE / 2 / ELASTIC_ALPHA  # (5000, 2, 28, 28), unit variance
    assert pixels.mean(0).abs().max() < 0.08  # 5 standard deviations of the mean
    assert (pixels.std(0) - 1).abs().max() < 0.06
    assert float((pixels[:, 0] * pixels[:, 1]).mean()) == pytest.approx(0, abs=0.02)  # x and y are independent


@pytest.mark.slow
def test_displacements_are_as_smooth_as_torchvisions(monkeypatch):
    """White noise through a Gaussian of L/√2 pixels correlates with exp(-d²/2·L²) over a distance d."""
    from torchvision.transforms import v2

    fix_uniform(monkeypatch, 1)
    fields = random_displacements(3000, seeded()).flatten(0, 1)
    transform = v2.ElasticTransform(alpha=100.0, sigma=CORRELATION_LENGTH / 2**0.5)
    torch.manual_seed(0)
    blank = torch.zeros(1, 68, 68)  # its blur mirrors at the border: the middle 28 pixels know nothing of that
    drawn = [transform.make_params([blank])["displacement"][0, 20:48, 20:48].movedim(2, 0) for _ in range(300)]
    reference = torch.cat(drawn)
    for apart in (1, 2, 4, 6, 9):
        assert correlation(fields, apart) == pytest.approx(
            math.exp(-(apart**2) / (2 * CORRELATION_LENGTH**2)), abs=0.04
        )
        assert correlation(fields, apart) == pytest.approx(correlation(reference, apart), abs=0.08)
        assert correlation(fields.mT, apart) == pytest.approx(correlation(fields, apart), abs=0.04)


def test_the_strength_varies_from_none_to_elastic():
    sizes = random_displacements(4000, seeded()).square().mean((1, 2, 3)).sqrt() * IMAGE_SIZE / 2
    assert sizes.min() < 0.02
    assert sizes.mean() == pytest.approx(ELASTIC_ALPHA / 2, rel=0.06)


# --- regional strokes -------------------------------------------------------------------------------------------------


def test_regional_strokes_come_on_0_1_and_7_in_their_shares(digits):
    images, labels = digits
    drawn = add_regional_strokes(images.float(), labels, seeded())
    changed = (drawn != images).flatten(1).any(1)
    shares = {0: SLASH_SHARE, 1: UPSTROKE_SHARE + FOOT_SHARE, 7: BAR_SHARE}
    for digit in range(10):
        share, count = shares.get(digit, 0.0), int((labels == digit).sum())
        found = float(changed[labels == digit].float().mean())
        assert found == pytest.approx(share, abs=4 * (share * (1 - share) / count) ** 0.5), digit


def test_regional_strokes_only_add_ink(digits):
    images, labels = (part[:5000] for part in digits)
    drawn = add_regional_strokes(images.float(), labels, seeded())
    assert (drawn >= images).all()
    assert drawn.max() <= 255


def test_regional_strokes_on_a_blank_image_are_finite():
    blank, labels = torch.zeros(400, IMAGE_SIZE, IMAGE_SIZE), torch.tensor([0, 1, 7, 7]).repeat(100)
    assert add_regional_strokes(blank, labels, seeded()).isfinite().all()
