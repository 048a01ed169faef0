"""Synthetic digits: glyphs, splines, the pen, the shares."""

import numpy as np
import pytest
import torch

from batch_infer.contract import IMAGE_SIZE
from train.augmentation.drawing import draw_polyline, measure_ink
from train.augmentation.synthetic_digits import (
    GLYPHS,
    JITTER,
    LARGE_JITTER,
    PATH_POINTS,
    SHARES,
    catmull_rom,
    glyph_table,
    parse_glyph,
    render_glyphs,
    replace_with_synthetic_digits,
)
from train.data import load_data

ALL = [(digit, glyph) for digit in range(10) for glyph in GLYPHS.get(digit, ())]


@pytest.fixture(scope="module")
def digits():
    """The first 20,000 training images (N, 28, 28) float32 and their labels (N,) int64."""
    train = load_data().train
    return torch.from_numpy(train.images[:20_000]).float(), torch.from_numpy(train.labels[:20_000]).long()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_glyph_is_parsed_with_corners_varying_points_and_lifts():
    assert parse_glyph("0,60~ 62,0! 60,100 / 0,60 5,5") == (
        ["0,60~", "62,0!", "60,100", "5,5"],
        [[0, 1, 1, 2], [0, 3]],  # the corner twice; a place that comes again is the same point
    )


def test_a_spline_passes_its_points_and_is_straight_where_they_are():
    points = torch.tensor([[0.0, 0], [1, 1], [2, 2], [3, 3]])
    path, down = catmull_rom([[0, 1, 2, 3]], 4)
    line = path @ points
    assert torch.equal(line[[0, -1]], points[[0, -1]])
    torch.testing.assert_close(line[:, 0], line[:, 1])
    assert (line.diff(dim=0) > 0).all()
    assert down.all()
    for point in ([1.0, 1], [2, 2]):
        assert (line - torch.tensor(point)).abs().amax(1).min() < 1e-5


def test_at_a_corner_the_pen_stands_still_and_goes_off_another_way():
    path, _ = catmull_rom([[0, 1, 1, 2]], 3)
    line = path @ torch.tensor([[0.0, 0], [1, 0], [1, 1]])
    assert ((line[:, 1].abs() < 1e-6) | ((line[:, 0] - 1).abs() < 0.2)).all()  # along the top, then down the side
    assert (line - torch.tensor([1.0, 0])).abs().amax(1).min() < 0.05


def test_between_two_strokes_the_pen_is_lifted():
    path, down = catmull_rom([[0, 1], [2, 3]], 4)
    assert down.tolist().count(False) == 1
    lift = down.tolist().index(False)
    assert torch.equal(path[[0, lift, lift + 1, -1]], torch.eye(4))  # each stroke from its first point to its last


def test_the_table_of_all_glyphs():
    points, jitter, spline, pen_down, first = glyph_table()
    assert len(points) == len(ALL)
    assert tuple(spline.shape[:2]) == (len(ALL), PATH_POINTS)
    assert torch.allclose(spline.sum(2), torch.ones(len(ALL), PATH_POINTS), atol=1e-5)
    assert first.tolist() == np.cumsum([0] + [len(GLYPHS.get(digit, ())) for digit in range(10)]).tolist()
    for number, (_, glyph) in enumerate(ALL):
        assert int((jitter[number] == LARGE_JITTER).sum()) == glyph.count("~")
        assert (jitter[number] == JITTER).sum() == len(parse_glyph(glyph)[0]) - glyph.count("~")
        assert (~pen_down[number]).sum() == glyph.count("/")


@pytest.mark.parametrize("number", range(len(ALL)), ids=[glyph for _, glyph in ALL])
def test_every_glyph_fills_mnists_box_and_no_two_are_alike(number):
    images = render_glyphs(torch.full((100,), number), seeded())
    box = measure_ink(images)
    longer = torch.maximum(box.bottom - box.top, box.right - box.left) + 1
    assert longer.min() >= 18
    assert longer.max() <= 24
    assert len(images.flatten(1).unique(dim=0)) == 100
    assert images.max() <= 255


def test_a_one_with_a_long_upstroke_has_ink_at_the_left_of_its_stem():
    images = render_glyphs(torch.full((200,), int(glyph_table().first[1])), seeded())  # the first glyph of a 1
    stem = images[:, 21:].sum(1).argmax(1)  # where the bottom rows have their ink
    left = torch.stack([image[8:18, : max(int(x) - 3, 0)].sum() for image, x in zip(images, stem, strict=True)])
    assert (left > 1000).float().mean() > 0.8


def test_the_arms_of_an_open_four_do_not_meet():
    """Along the top of an open 4 there is blank paper between two strokes, and the apex is not closed."""
    image = render_glyphs(torch.full((1,), int(glyph_table().first[4])), seeded(3))[0]
    runs = [(row > 100).long().diff(prepend=torch.zeros(1), append=torch.zeros(1)).clamp(min=0).sum() for row in image]
    assert max(int(run) for run in runs) >= 2


def test_digits_are_replaced_in_their_shares_and_the_others_stay(digits):
    images, labels = digits
    before = images.clone()
    changed = (replace_with_synthetic_digits(images, labels, seeded()) != images).flatten(1).any(1)
    assert torch.equal(images, before)
    for digit, share in enumerate(SHARES):
        count = int((labels == digit).sum())
        found = float(changed[labels == digit].float().mean())
        assert found == pytest.approx(share, abs=4 * (share * (1 - share) / count) ** 0.5 + 1e-9), digit


def test_the_same_seed_draws_the_same_digits(digits):
    images, labels = (part[:500] for part in digits)
    first, second, other = (replace_with_synthetic_digits(images, labels, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_pen_draws_a_round_line_of_its_width():
    path = torch.tensor([[[5.0, 14], [20, 14]]])
    image = draw_polyline(torch.zeros(1, IMAGE_SIZE, IMAGE_SIZE), path, torch.tensor([3.0]))[0]
    assert image[:, 12].sum() == 3 * 255  # across the line
    assert image[14, 5:21].min() == 255
    assert image[14, 3] == 0  # beyond the round end: 2 px from it, half the width is 1.5
    assert torch.equal(image, image.flip(0).roll(1, 0))  # alike above and below row 14


def test_a_lifted_pen_leaves_nothing_and_ink_stays():
    images = torch.full((1, IMAGE_SIZE, IMAGE_SIZE), 7.0)
    path = torch.tensor([[[5.0, 5], [20, 5], [20, 20]]])
    down = torch.tensor([[True, False]])
    drawn_once = draw_polyline(images, path, torch.tensor([2.0]), down)
    assert drawn_once[0, 10:].eq(7).all()
    assert drawn_once[0, 5, 6:20].eq(255).all()
