"""A sheet on a desk is cut out, however it lies; a stroke, a shadow and an empty sheet are left alone."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.helpers import script

from batch_infer.decoding.decode import decode
from batch_infer.decoding.pixels.downscale import shrink
from batch_infer.normalization.background.page import page_of
from batch_infer.normalization.pipeline import normalize

pytestmark = pytest.mark.slow  # looks at many pictures

HEIGHT, WIDTH = 300, 400
LIES = {
    "straight": [(120, 60), (300, 60), (300, 250), (120, 250)],
    "turned": [(150, 30), (330, 80), (280, 260), (100, 210)],
    "at a slant": [(130, 50), (290, 60), (340, 270), (80, 250)],
    "over the left edge": [(-50, 40), (250, 50), (240, 260), (-50, 240)],
    "over a corner": [(150, -50), (500, -50), (500, 220), (130, 250)],
    "one side to be seen": [(-90, -90), (300, -90), (320, 400), (-90, 400)],
}
changes = script("changes")


def cut_out(picture):
    """The sheet in a picture (H, W) uint8."""
    return page_of(picture, shrink(picture, 128))


def lying(corners, *, sheet=220, desk=50, ink=40, marks=True, seed=1):
    """A 4 on a sheet with such corners; both have grain."""
    image = Image.new("L", (WIDTH, HEIGHT), desk)
    draw = ImageDraw.Draw(image)
    draw.polygon(corners, fill=sheet)
    if marks:
        draw.line([(190, 110), (185, 155), (225, 150)], fill=ink, width=7, joint="curve")
        draw.line([(218, 120), (212, 195)], fill=ink, width=7)
    levels = np.asarray(image) + np.random.default_rng(seed).normal(0, 3, (HEIGHT, WIDTH))
    return changes.grey(levels)


def drawn(draw_on, *, paper=215):
    image = Image.new("L", (WIDTH, HEIGHT), paper)
    draw_on(ImageDraw.Draw(image))
    return changes.grey(np.asarray(image) + np.random.default_rng(2).normal(0, 3, (HEIGHT, WIDTH)))


def border(levels):
    return np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])


@pytest.mark.parametrize("inverted", [False, True], ids=["as it is", "inverted"])
@pytest.mark.parametrize("corners", LIES.values(), ids=LIES.keys())
@pytest.mark.parametrize(
    "levels",
    [dict(), dict(sheet=60, desk=200, ink=230), dict(sheet=120, desk=235, ink=40), dict(desk=140)],
    ids=["white on a dark desk", "slate on a light one", "grey note on a white one", "white on a grey one"],
)
def test_a_sheet_is_cut_out_wherever_it_lies(classifier, corners, levels, inverted):
    picture = lying(corners, **levels)
    picture = 255 - picture if inverted else picture
    cut = cut_out(picture)
    assert cut.size < picture.size
    sheet = levels.get("sheet", 220)
    assert np.abs(border(cut).astype(int) - (255 - sheet if inverted else sheet)).max() <= 24  # no desk is left
    image = normalize(picture)
    assert image is not None
    assert classifier.predict(image[None])[0] == 4


@pytest.mark.parametrize("corners", LIES.values(), ids=LIES.keys())
def test_an_inverted_picture_gives_the_inverted_sheet(corners):
    picture = lying(corners)
    np.testing.assert_array_equal(cut_out(255 - picture), 255 - cut_out(picture))
    np.testing.assert_array_equal(normalize(255 - picture), normalize(picture))


def test_a_sheet_half_in_the_shade_is_cut_out_whole():
    picture = lying(LIES["straight"], desk=20).astype(float)
    picture[:, 235:] *= 0.5
    cut = cut_out(changes.grey(picture))
    assert cut.shape[0] == pytest.approx(190, abs=20)
    assert cut.shape[1] == pytest.approx(180, abs=20)


@pytest.mark.parametrize("corners", LIES.values(), ids=LIES.keys())
def test_a_sheet_without_marks_is_left_alone(corners):
    picture = lying(corners, marks=False)
    assert cut_out(picture) is picture


STROKES = {
    "fat 1": lambda draw: draw.rectangle((170, 40, 230, 260), fill=30),
    "fat slanting 1": lambda draw: draw.line((150, 260, 250, 40), fill=30, width=60),
    "fat 7": lambda draw: draw.line([(120, 60), (270, 60), (180, 260)], fill=30, width=50, joint="curve"),
    "fat 0": lambda draw: draw.ellipse((110, 30, 280, 270), outline=30, width=55),
    "solid 0": lambda draw: draw.ellipse((130, 30, 270, 270), fill=30),
    "1 from edge to edge": lambda draw: draw.rectangle((150, 0, 260, HEIGHT), fill=30),
    "pen beside a 1": lambda draw: (draw.rectangle((50, 0, 90, 200), fill=20), draw.line((200, 80, 210, 200), 30, 8)),
}


@pytest.mark.parametrize("inverted", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("stroke", STROKES.values(), ids=STROKES.keys())
def test_a_thick_stroke_is_no_sheet(stroke, inverted):
    picture = 255 - drawn(stroke) if inverted else drawn(stroke)
    assert cut_out(picture) is picture


def test_a_soft_shadow_is_no_sheet():
    picture = drawn(lambda draw: draw.line([(190, 60), (180, 150), (230, 145)], 40, 8)).astype(float)
    picture *= np.interp(np.arange(WIDTH), [220, 300], [1, 0.45])
    grey = changes.grey(picture)
    assert cut_out(grey) is grey


def test_a_stroke_across_a_shadows_edge_is_not_cut_off():
    picture = drawn(lambda draw: draw.line([(150, 60), (160, 240), (250, 150)], 60, 9)).astype(float)
    picture[140:] *= 0.55
    grey = changes.grey(picture)
    assert cut_out(grey) is grey


@pytest.mark.parametrize("shape", [(64, 64), (28, 28), (40, 900), (1, 1000)])
def test_small_and_narrow_pictures_are_left_alone(shape):
    picture = np.zeros(shape, np.uint8)
    picture[shape[0] // 4 :, shape[1] // 4 :] = 200
    picture[shape[0] // 2 :, shape[1] // 2 : shape[1] // 2 + 2] = 10
    assert cut_out(picture) is picture


def test_a_sheet_all_of_whose_paper_passes_for_ink_is_no_page():
    """Number 157 of these ended in an IndexError."""
    catalogue = script("renditions/catalogue")
    files = catalogue.draw("single: alone on paper", *catalogue.training_digits(), 158, 1).files
    picture = decode(files[157]).grey
    assert cut_out(picture) is picture
