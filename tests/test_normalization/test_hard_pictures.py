"""What the normaliser sees in hard pictures: lines, frames, bands, shade, tight crops, empty sheets; and its tools."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from support.helpers import script

from batch_infer.decoding.decode import decode
from batch_infer.decoding.pixels.downscale import shrink
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.normalization.components import connected_components
from batch_infer.normalization.image_ops import blurred, opened
from batch_infer.normalization.pipeline import normalize
from batch_infer.normalization.resample import resample, stroke_width

pytestmark = pytest.mark.slow  # looks at many pictures

ROOT = Path(__file__).parents[2]
COUNT = 60


changes = script("changes")


@pytest.fixture(scope="module")
def digits():
    """`COUNT` training images (N, 28, 28) from the 50,000th on."""
    return IdxImages(str(ROOT / "train" / "mnist" / "train-images-idx3-ubyte.gz")).read_all()[50_000 : 50_000 + COUNT]


@pytest.fixture(scope="module")
def labels():
    return read_labels(str(ROOT / "train" / "mnist" / "train-labels-idx1-ubyte.gz"), 60_000)[50_000 : 50_000 + COUNT]


def sheet(digit, rng, *, side=240, low=120, high=200, contrast=0.7, slope=30):
    return changes.written(digit, rng, sheet=(side, side), size=(low, high), contrast=contrast, slope=slope, grain=3)


def form_lines(digit, rng):
    """Horizontal lines as dark as the ink run through the digit."""
    levels = sheet(digit, rng)
    for row in range(int(rng.integers(0, 70)), 240, 70):
        levels[row : row + 3] = 70
    return levels


def crossed_box(digit, rng):
    """The box of a form, fainter than the ink, and the digit goes over it."""
    levels = sheet(digit, rng, high=235)
    for edge in (30, 205):
        levels[edge : edge + 3, 30:208] = np.minimum(levels[edge : edge + 3, 30:208], 120)
        levels[30:208, edge : edge + 3] = np.minimum(levels[30:208, edge : edge + 3], 120)
    return levels


def askew(digit, rng):
    """Squared paper, its faint lines turned by up to 4 degrees."""
    levels = sheet(digit, rng, side=300, contrast=0.75)
    start = int(rng.integers(30))
    levels[start::30] *= 0.75
    levels[:, start::30] *= 0.75
    turned = Image.fromarray(changes.grey(levels)).rotate(float(rng.uniform(-4, 4)), changes.BICUBIC, fillcolor=205)
    return np.asarray(turned)[15:285, 15:285]


def scanner_bed(digit, rng):
    """The dark bed shows at one or two neighbouring sides of the sheet."""
    bed = rng.permutation([30, 0]), rng.permutation([45 * int(rng.integers(2)), 0])
    return np.pad(sheet(digit, rng), bed, constant_values=30)


def letterbox(digit, rng):
    """A photo in the middle of a wide black or white picture."""
    return np.pad(sheet(digit, rng), ((0, 0), (110, 110)), constant_values=float(rng.choice([0, 255])))


def glare(digit, rng):
    """A whiteboard with a lamp's reflection on it."""
    y, x = np.mgrid[:240, :320]
    levels = changes.written(digit, rng, sheet=(240, 320), size=(80, 200), contrast=0.8, slope=50, grain=3) * 0.8
    down, across = rng.uniform(0, 240), rng.uniform(0, 320)
    return levels + 90 * np.exp(-((y - down) ** 2 + (x - across) ** 2) / (2 * 30**2))


def tight(digit, rng):
    """A crop to the ink of a sheet under a lamp at one side."""
    part = changes.cropped(changes.hard(digit, 100), int(rng.integers(0, 5)))
    return changes.paper(*part.shape, rng, slope=60) * (1 - 0.7 * part / 255)


def brush(digit, rng):
    """A thick brush: the drawing fills its picture."""
    part = changes.cropped(changes.widened(digit, 0.9), int(rng.integers(0, 8)))
    return part if rng.random() < 0.5 else 255 - part


def under_a_spot(digit, rng):
    """A thin pen under a lamp's spot that is brighter than the ink is dark."""
    levels = changes.written(digit, rng, sheet=(300, 420), size=(70, 110), contrast=0.35, slope=40, grain=2)
    y, x = np.mgrid[:300, :420]
    spot = np.exp(-((y - rng.uniform(60, 240)) ** 2 + (x - rng.uniform(60, 360)) ** 2) / (2 * 45**2))
    return levels * 0.75 + 60 * spot


def with_ends(digit, rng):
    """The ends of the digits above and below reach into the picture."""
    line = np.vstack(
        (digit[::-1][4:24][-6:], np.zeros((3, 28), np.uint8), digit[4:24], np.zeros((3, 28), np.uint8), digit[4:9])
    )
    return 225 - 0.7 * changes.scaled(line, 111).astype(float) + rng.normal(0, 3, (111, 84))


def specks(digit, rng):
    """A few specks about as wide as the stroke."""
    levels = sheet(digit, rng)
    y, x = np.mgrid[:240, :240]
    for _ in range(10):
        down, across, radius = rng.uniform(0, 240), rng.uniform(0, 240), rng.uniform(1.5, 5)
        levels[(y - down) ** 2 + (x - across) ** 2 < radius**2] = 60
    return levels


def faint_and_small(digit, rng):
    """A quarter of the contrast on a few pixels of uneven paper."""
    part = changes.cropped(digit, 2)
    return changes.paper(*part.shape, rng, slope=20, grain=1) * (1 - 0.25 * part / 255)


HARD = (
    form_lines,
    crossed_box,
    askew,
    scanner_bed,
    letterbox,
    glare,
    under_a_spot,
    with_ends,
    tight,
    brush,
    specks,
    faint_and_small,
)


@pytest.mark.parametrize("inverted", [False, True], ids=["dark ink", "light ink"])
@pytest.mark.parametrize("hard", HARD, ids=lambda hard: hard.__name__)
def test_the_digit_is_found_in_hard_pictures(digits, labels, classifier, hard, inverted):
    rng = np.random.default_rng(4)
    pictures = [changes.grey(hard(digit, rng)) for digit in digits]
    images = [normalize(255 - picture if inverted else picture) for picture in pictures]
    nothing = np.array([image is None for image in images])
    stacked = np.stack([np.zeros((28, 28), np.uint8) if image is None else image for image in images])
    assert np.mean((classifier.predict(stacked) == labels) & ~nothing) >= 0.92


def test_a_1_cropped_to_its_ink_is_a_digit(digits, labels, classifier):
    ones = [changes.cropped(digit) for digit in digits[labels == 1]]
    assert any(one.shape[1] <= 5 for one in ones)
    images = [normalize(255 - one) for one in ones]
    assert not any(image is None for image in images)
    assert (classifier.predict(np.stack(images)) == 1).all()


def test_a_thin_upright_1_is_no_ruled_line():
    picture = np.full((300, 300), 230, np.uint8)
    picture[40:260, 149:152] = 30
    image = normalize(picture)
    assert np.count_nonzero(image.max(1) > 127) == 20
    assert np.count_nonzero(image.max(0) > 127) <= 3


@pytest.mark.parametrize("side", [28, 64, 100, 300])
@pytest.mark.parametrize("sigma", [1, 3, 8])
@pytest.mark.parametrize("light", ["even", "from one side"])
def test_grain_is_no_digit(side, sigma, light):
    for seed in range(4):
        levels = np.random.default_rng(seed).normal(200, sigma, (side, side))
        if light != "even":
            levels += np.linspace(-30, 20, side)[:, None]
        assert normalize(changes.grey(levels)) is None


@pytest.mark.parametrize("side", [100, 200, 320, 700])
@pytest.mark.parametrize("grain", [1, 3])
@pytest.mark.parametrize("jpeg", [False, True], ids=["png", "jpeg"])
def test_an_empty_textured_sheet_under_a_lamp_is_no_digit(side, grain, jpeg):
    found = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        levels = changes.grey(changes.paper(side, side + 40, rng, slope=float(rng.uniform(0, 90)), grain=grain))
        data = changes.saved(levels, "JPEG", quality=75) if jpeg else changes.saved(levels)
        found += normalize(decode(data).grey) is not None
    assert found <= 1


@pytest.mark.parametrize("side", [16, 28, 48, 64])
def test_the_blocks_of_a_jpeg_are_no_digit(side):
    """Compression takes the grain away and leaves steps of light."""
    for seed in range(6):
        levels = np.random.default_rng(seed).normal(200, 1, (side, side)) + np.linspace(-30, 20, side)[:, None]
        assert normalize(decode(changes.saved(changes.grey(levels), "JPEG", quality=80)).grey) is None


def test_the_bar_of_a_5_cut_tight_belongs_to_it_though_it_hangs_on_the_edge():
    """As the old one-bit collections are cut: nothing but the digit, from edge to edge."""
    five = np.zeros((32, 24), np.uint8)
    five[:2, 8:] = 255  # the bar
    five[4:12, 5:7] = five[11:13, 5:19] = five[13:29, 19:21] = five[29:, 4:20] = five[27:30, :5] = 255
    image = normalize(255 - five)
    bar = np.flatnonzero((image > 127).any(1))[0]
    assert np.count_nonzero(image[bar] > 127) >= 9


def flood(mask):
    """The components of a mask as sets of pixels, the slow way."""
    left = set(zip(*(axis.tolist() for axis in mask.nonzero()), strict=True))
    while left:
        piece, edge = set(), [min(left)]
        while edge:
            y, x = edge.pop()
            if (y, x) in left:
                left.remove((y, x))
                piece.add((y, x))
                edge += [(y + down, x + across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
        yield piece


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=14)), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_components_are_what_flooding_finds(mask, random):
    found, flooded = connected_components(mask), list(flood(mask))
    assert len(found.area) == len(flooded)
    expected = [
        next(piece for piece in flooded if found.labels[next(iter(piece))] == index + 1)
        for index in range(len(flooded))
    ]
    boxes = [found.box(np.arange(len(expected)) == index) for index in range(len(expected))]
    assert found.area.tolist() == [len(piece) for piece in expected]
    assert boxes == [
        (min(y for y, _ in piece), min(x for _, x in piece), max(y for y, _ in piece) + 1, max(x for _, x in piece) + 1)
        for piece in expected
    ]
    keep = np.array([random.random() < 0.5 for _ in expected], dtype=np.bool_)
    kept = {pixel for piece, wanted in zip(expected, keep.tolist(), strict=True) if wanted for pixel in piece}
    assert set(zip(*(axis.tolist() for axis in found.mask(keep).nonzero()), strict=True)) == kept


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12)), st.sampled_from([3, 5, 9]))
@settings(max_examples=100, deadline=None)
def test_opening_is_the_maximum_of_minima(image, window):
    half = window // 2

    def around(values, extreme):
        result = np.empty_like(values)
        for y, x in np.ndindex(values.shape):
            result[y, x] = extreme(values[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1])
        return result

    np.testing.assert_array_equal(opened(image, window, window), around(around(image, np.min), np.max))


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)), st.integers(1, 20))
@example(np.array([[7, 255], [121, 127]], np.uint8), 1)  # a mean of 127.5
@settings(max_examples=100, deadline=None)
def test_shrinking_averages_blocks_and_commutes_with_inversion(image, side):
    small = shrink(image, side)
    assert max(small.shape) <= side
    factor = -(-max(image.shape) // side)
    down, across = min(factor, image.shape[0]), min(factor, image.shape[1])
    rows, columns = (length // step * step for length, step in zip(image.shape, (down, across), strict=True))
    blocks = image[:rows, :columns].reshape(rows // down, down, columns // across, across)
    in_the_middle = blocks.mean((1, 3)) == 127.5  # its mirror image is the same: no whole level is
    mirrored = 255 - shrink(255 - image, side).astype(int)
    np.testing.assert_array_equal(mirrored[~in_the_middle], small[~in_the_middle])
    assert (np.abs(mirrored - small)[in_the_middle] == 1).all()
    assert abs(image[:down, :across].mean() - small[0, 0]) <= 0.5


def test_smoothing_is_binomial():
    image = np.zeros((5, 5), np.uint8)
    image[2, 2] = 160
    np.testing.assert_array_equal(blurred(image)[1:4, 1:4], [[10, 20, 10], [20, 40, 20], [10, 20, 10]])


@pytest.mark.parametrize("scale", [0.5, 1, 3, 9])
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_strokes_come_out_of_a_usual_width(scale, width):
    """An upright bar of 20 units by `width`, drawn at several scales."""
    ink = np.zeros((round(20 * scale) + 4, max(1, round(width * scale)) + 4), np.uint8)
    ink[2:-2, 2:-2] = 255
    image = resample(ink)
    rows, columns = image.max(1) > 127, image.max(0) > 127
    assert np.count_nonzero(rows) in {19, 20, 21}
    assert 1.6 <= stroke_width(image) <= 4.6
    assert np.count_nonzero(columns) in range(1, 6)
