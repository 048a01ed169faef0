"""Any picture of a digit → MNIST's form; pictures that have it already pass bit for bit."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from support.helpers import script

from batch_infer.decoding.decode import decode
from batch_infer.errors import ImageError
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.normalization.mnist_format import mnist_format_mask
from batch_infer.normalization.pipeline import SIDE, examine, normalize
from batch_infer.normalization.several import OtherDigits

ROOT = Path(__file__).parents[2]
SLOW = {"photo 1200 × 900", "tiny on a large sheet"}  # megapixels: fewer of them


changes = script("changes")


@pytest.fixture(scope="module")
def digits():
    """The first 2,000 training images `(N, 28, 28)`."""
    return IdxImages(str(ROOT / "train" / "mnist" / "train-images-idx3-ubyte.gz")).read_all()[:2000]


@pytest.fixture(scope="module")
def labels():
    return read_labels(str(ROOT / "train" / "mnist" / "train-labels-idx1-ubyte.gz"), 60_000)[:2000]


def lit_border(image: np.ndarray) -> int:
    """How many of the 108 border pixels are not black."""
    return np.count_nonzero(image) - np.count_nonzero(image[1:-1, 1:-1])


def seen(data: bytes) -> np.ndarray | None:
    return normalize(decode(data).grey)


def test_mnist_itself_passes_bit_for_bit(digits):
    for image in digits:
        np.testing.assert_array_equal(normalize(image), image)


def test_inverted_mnist_passes_bit_for_bit(digits):
    for image in digits:
        np.testing.assert_array_equal(normalize(255 - image), image)


@pytest.mark.parametrize("name", changes.LOSSLESS)
def test_container_and_mode_do_not_matter(digits, name):
    rng = np.random.default_rng(0)
    for image in digits[:50]:
        np.testing.assert_array_equal(seen(changes.LOSSLESS[name](image, rng)), image)


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.float32, np.float64])
def test_whole_greys_of_any_type_pass_bit_for_bit(digits, dtype):
    np.testing.assert_array_equal(normalize(digits[0].astype(dtype)), digits[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_greys_from_0_to_1_pass_bit_for_bit(digits, dtype):
    np.testing.assert_array_equal(normalize((digits[0] / 255).astype(dtype)), digits[0])


def test_one_bit_pictures_of_mnists_form_pass(digits):
    black_and_white = digits[0] > 127
    np.testing.assert_array_equal(normalize(black_and_white), black_and_white * np.uint8(255))


def test_what_is_nearly_of_mnists_form_is_normalized():
    bar = np.zeros((SIDE, SIDE), np.uint8)
    bar[7:27, 13:16] = 255  # 3 px too low
    result = normalize(bar)
    assert mnist_format_mask(result[np.newaxis]).all()
    assert not np.array_equal(result, bar)


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (7, 300), (400, 400)])
def test_a_uniform_picture_holds_no_digit(shape, value):
    assert normalize(np.full(shape, value, np.uint8)) is None
    assert normalize(np.full(shape, value / 255, np.float32)) is None
    assert normalize(np.full(shape, value * 257, np.uint16)) is None


def test_even_paper_holds_no_digit():
    for side in (28, 100, 300):
        paper = np.random.default_rng(0).normal(200, 0.4, (side, side))
        assert normalize(paper.astype(np.uint8)) is None
        assert normalize(np.linspace(100, 103, side * side).reshape(side, side).astype(np.uint8)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(value):
    picture = np.zeros((9, 9))
    picture[4, 4] = value
    with pytest.raises(ValueError, match=r"^the picture holds NaN or infinity$"):
        normalize(picture)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (
            np.zeros((28, 30, 3), np.uint8),
            "expected a grey picture of shape (H, W), got shape (28, 30, 3): 3 dimensions",
        ),
        (np.zeros((1, 28, 28)), "expected a grey picture of shape (H, W), got shape (1, 28, 28): 3 dimensions"),
        (np.zeros(784), "expected a grey picture of shape (H, W), got shape (784,): 1 dimension"),
        (np.uint8(3), "expected a grey picture of shape (H, W) as a NumPy array, got numpy.uint8"),
        (np.zeros((0, 28), np.uint8), "expected a grey picture of shape (H, W), got shape (0, 28): no pixel"),
        (np.zeros((28, 0)), "expected a grey picture of shape (H, W), got shape (28, 0): no pixel"),
        (
            np.zeros((1, 784), np.uint8),
            "expected a grey picture, got shape (1, 784): a flattened digit; reshape it to (28, 28)",
        ),
        (
            np.zeros((784, 1), np.uint8),
            "expected a grey picture, got shape (784, 1): a flattened digit; reshape it to (28, 28)",
        ),
        (np.zeros((9, 9), object), "expected grey values (bool, integer or float), got dtype object"),
        (np.zeros((9, 9), np.complex128), "expected grey values (bool, integer or float), got dtype complex128"),
        (np.full((9, 9), "a"), "expected grey values (bool, integer or float), got dtype <U1"),
    ],
)
def test_what_is_no_grey_picture_is_refused(picture, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        normalize(picture)


def test_the_input_is_not_changed(digits):
    for picture in (255 - digits[0], changes.scaled(digits[1], 90), digits[2].astype(np.float32) * 3):
        before = picture.copy()
        normalize(picture)
        np.testing.assert_array_equal(picture, before)


def test_layout_in_memory_does_not_matter(digits):
    picture = 255 - changes.scaled(digits[3], 90)
    expected = normalize(picture)
    np.testing.assert_array_equal(normalize(np.asfortranarray(picture)), expected)
    np.testing.assert_array_equal(normalize(np.repeat(picture, 2, 1)[:, ::2]), expected)
    picture.setflags(write=False)
    np.testing.assert_array_equal(normalize(picture), expected)


@pytest.mark.parametrize("height", [8, 20, 50, 333, 900])
def test_the_digit_is_20_px_long_and_in_the_middle(height):
    """A 0 twice as high as wide, drawn with straight lines somewhere on a sheet of any size."""
    picture = np.full((height * 3, height * 4), 230, np.uint8)
    picture[height : 2 * height, height // 2 : height] = 20
    pen = max(height // 10, 1)
    picture[height + pen : 2 * height - pen, height // 2 + pen : height - pen] = 230
    image = normalize(picture)
    rows, columns = np.flatnonzero(image.max(1) > 127), np.flatnonzero(image.max(0) > 127)
    assert rows[-1] - rows[0] + 1 in {19, 20, 21}
    assert columns[-1] - columns[0] + 1 in {8, 9, 10, 11}
    assert image.max() == 255
    ink = image.astype(float)
    assert abs((ink.sum(1) @ np.arange(SIDE)) / ink.sum() - 14) <= 0.5
    assert abs((ink.sum(0) @ np.arange(SIDE)) / ink.sum() - 14) <= 0.5
    assert lit_border(image) == 0


HARD = {  # on paper of many pixels, which takes seconds
    "squared paper", "specks", "hard shadow", "ruled paper", "church book", "thick pen", "neighbour's fragment",
    "mouse thin, 280 px", "blue on yellow", "tiny on a large sheet", "chalk on board", "photo 1200 × 900",
    "frame, some sides", "thin pen",
}  # fmt: skip
ALL = [
    pytest.param(name, change, id=name, marks=[pytest.mark.slow] * (name in HARD))
    for name, change in (changes.LOSSLESS | changes.CHANGES).items()
]


@pytest.mark.parametrize(("name", "change"), ALL)
def test_changed_digits_keep_their_class(digits, labels, classifier, name, change):
    count = 10 if name in SLOW else 60
    rng = np.random.default_rng(1)
    results = [seen(change(image, rng)) for image in digits[:count]]
    images = np.stack([np.zeros((SIDE, SIDE), np.uint8) if image is None else image for image in results])
    assert images.dtype == np.uint8
    assert max(map(lit_border, images)) <= 10
    assert np.mean(classifier.predict(images) == labels[:count]) >= 0.9


@pytest.mark.parametrize("name", ["× 0.5", "on paper", "hard shadow", "frame, some sides", "church book"])
def test_the_same_picture_gives_the_same_image(digits, name):
    for image in digits[:5]:
        once, again = (seen(changes.CHANGES[name](image, np.random.default_rng(2))) for _ in range(2))
        np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize(
    "name",
    [
        "× 0.5", "× 4", "on paper", "blur", "pencil 15 %", "crop to ink × 5", "8 px",
        pytest.param("hard shadow", marks=pytest.mark.slow), pytest.param("specks", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_ink_may_be_dark_or_light(digits, name):
    rng = np.random.default_rng(3)
    for image in digits[:20]:
        grey = decode(changes.CHANGES[name](image, rng)).grey
        np.testing.assert_array_equal(normalize(255 - grey), normalize(grey))


def promise(picture: np.ndarray) -> None:
    """None, an image (28, 28) or several digits; ValueError only where there is a NaN or an infinity."""
    if not np.isfinite(picture).all():
        with pytest.raises(ValueError, match="NaN or infinity"):
            normalize(picture)
        return
    image, others = examine(picture)
    if others is OtherDigits.CERTAIN:
        with pytest.raises(ImageError, match="several_digits"):
            normalize(picture)
    if image is not None:
        assert image.shape == (SIDE, SIDE)
        assert image.dtype == np.uint8
        assert image.max() >= 192


@given(
    st.sampled_from([np.uint8, np.uint16, np.float32]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=2, max_dims=2, max_side=80))
    )
)
@settings(max_examples=200, deadline=None)
def test_any_array_gives_an_image_or_none(picture):
    promise(picture)


@given(
    shape=array_shapes(min_dims=2, max_dims=2, max_side=80),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]),
    kind=st.sampled_from(["noise", "specks", "corner", "slope", "box", "blot", "waves"]),
    seed=st.integers(0, 1 << 20),
)
@settings(max_examples=400, deadline=None)
def test_any_structure_gives_an_image_or_none(shape, dtype, kind, seed):
    rng = np.random.default_rng(seed)
    height, width = shape
    y, x = np.mgrid[:height, :width]
    down, across = int(rng.integers(height)), int(rng.integers(width))
    levels = {
        "noise": lambda: rng.integers(0, 256, shape),
        "specks": lambda: (rng.random(shape) < 0.03) * 255,
        "corner": lambda: ((y >= down) & (x >= across)) * int(rng.integers(1, 256)),
        "slope": lambda: (y * rng.uniform(-3, 3) + x * rng.uniform(-3, 3)) % 256,
        "box": lambda: ((abs(y - down) == height // 3) | (abs(x - across) == width // 3)) * 200,
        "blot": lambda: 255 * np.exp(-((y - down) ** 2 + (x - across) ** 2) / rng.uniform(1, 400)),
        "waves": lambda: 127 + 127 * np.sin(y * rng.uniform(0, 1)) * np.sin(x * rng.uniform(0, 1)),
    }[kind]()
    promise(levels.astype(dtype))


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import batch_infer.normalization.pipeline",
        "from batch_infer import run_job",
        "import batch_infer.inference.classify",
    ],
)
def test_the_package_gives_the_function(python, before):
    done = python(f"{before}\nfrom batch_infer import normalize\nimport numpy\nprint(normalize(numpy.zeros((9, 9))))")
    assert (done.stdout, done.stderr) == ("None\n", "")
