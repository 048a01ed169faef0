"""The same picture, the same answer: image files, plain and gzip IDX; levels of 0 to 8; flattened digits; --fit."""

import gzip

import numpy as np
import pytest
from PIL import Image
from support.helpers import save_png

from batch_infer import normalize
from batch_infer.inference.load import load
from batch_infer.inputs.arrays.idx import IdxImages, idx_bytes
from batch_infer.inputs.chunks import ArrayChunk, FileChunk


def textured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dark ink on stained, uneven, grainy paper, 28×28."""
    y, x = np.mgrid[:28, :28]
    stain = 40 * np.exp(-((y - rng.uniform(0, 28)) ** 2 + (x - rng.uniform(0, 28)) ** 2) / 60)
    sheet = 190 - 1.5 * x + rng.normal(0, 5, (28, 28)) - stain
    return (sheet * (1 - 0.7 * image / 255)).clip(0, 255).astype(np.uint8)


def pictures(few) -> np.ndarray:
    """Some 28×28 pictures of each kind `(N, 28, 28)`: three quarters of them are not in MNIST's format."""
    rng = np.random.default_rng(1)
    digits = few.images[:20]
    kinds = [
        digits,
        255 - digits,
        220 - (digits * 0.7).astype(np.uint8),  # on grey paper
        np.stack([textured(image, rng) for image in digits]),
        np.roll(digits, 4, 1),
        digits // 2,
        digits // 64,
        (digits > 127).astype(np.uint8),
        (digits < 128).astype(np.uint8),
        np.full((3, 28, 28), (0,), np.uint8),
        np.full((3, 28, 28), 200, np.uint8),
        rng.integers(0, 4, (5, 28, 28), np.uint8),
        rng.integers(0, 256, (5, 28, 28), np.uint8),
    ]
    mixed = np.concatenate(kinds)
    rng.shuffle(mixed)
    return mixed


def answers(found: list[dict[str, str]]) -> list[tuple[str, ...]]:
    return [(row["prediction"], row["confidence"], row["status"], row["error"]) for row in found]


@pytest.mark.parametrize("fit", ["auto", "never"])
def test_the_same_pictures_as_files_and_as_idx_give_the_same_rows(rows, few, tmp_path, fit):
    images = pictures(few)
    for number, image in enumerate(images):
        save_png(tmp_path / "in" / f"{number:05}.png", image)
    (tmp_path / "plain").write_bytes(idx_bytes(images))
    (tmp_path / "packed").write_bytes(gzip.compress(idx_bytes(images)))
    files = answers(rows(tmp_path / "in", fit=fit))
    assert answers(rows(tmp_path / "plain", fit=fit)) == files
    assert answers(rows(tmp_path / "packed", fit=fit)) == files
    assert {error for *_, error in files} == ({"", "no_digit"} if fit == "auto" else {""})


def test_each_image_of_an_idx_file_becomes_what_normalize_makes_of_it(few, tmp_path):
    images = pictures(few)
    (tmp_path / "x").write_bytes(idx_bytes(images))
    chunk = ArrayChunk(IdxImages(str(tmp_path / "x")), 0, np.full(len(images), -1, np.int8))
    loaded = load(chunk, np.arange(len(images)), "auto")
    expected = [normalize(image) for image in images]
    assert [number > 0 for number in loaded.error_numbers] == [image is None for image in expected]
    for image, wanted in zip(loaded.images, expected, strict=True):
        np.testing.assert_array_equal(image, np.zeros((28, 28)) if wanted is None else wanted)
    assert {(path.partition("[")[0], code) for path, code, _ in loaded.errors} == {(str(tmp_path / "x"), "no_digit")}


def test_mnists_own_images_pass_bit_for_bit_and_are_not_copied(mnist, few_idx):
    chunk = ArrayChunk(IdxImages(str(few_idx)), 0, np.full(4096, -1, np.int8), mnist.images[:4096])
    assert load(chunk, np.arange(4096), "auto").images is chunk.images


def test_images_that_the_chunk_holds_are_not_changed(few, few_idx):
    images = pictures(few)
    before = images.copy()
    load(
        ArrayChunk(IdxImages(str(few_idx)), 0, np.full(len(images), -1, np.int8), images),
        np.arange(len(images)),
        "auto",
    )
    np.testing.assert_array_equal(images, before)


class Noted(list):
    """Remembers all positions that were noted."""

    def __setitem__(self, index, value):
        self.append(value)


def test_the_image_that_is_normalized_is_noted_and_a_known_bad_one_is_left_out(few, few_idx):
    images = np.concatenate([few.images[:3], few.images[3:6] // 2])
    chunk = ArrayChunk(
        IdxImages(str(few_idx)), 0, np.full(6, -1, np.int8), images, {1: ("unreadable", "x"), 4: ("unreadable", "y")}
    )
    at = Noted()
    loaded = load(chunk, np.arange(6), "auto", at)
    assert [row for row in at if row >= 0] == [3, 5]
    assert at[-1] == -1
    assert [(path.rpartition("[")[2], *error) for path, *error in loaded.errors] == [
        ("1]", "unreadable", "x"), ("4]", "unreadable", "y"),
    ]  # fmt: skip
    assert not loaded.images[[1, 4]].any()
    at = Noted()
    load(chunk, np.array([2, 3]), "auto", at)
    assert [row for row in at if row >= 0] == [3]


@pytest.mark.parametrize("top", [1, 2, 8])
def test_digits_of_low_levels_are_classified_whatever_holds_them(rows, few, tmp_path, top):
    images = np.rint(few.images[:50] / 255 * top).astype(np.uint8)
    large = images.repeat(3, 1).repeat(3, 2)
    for number in range(len(images)):
        save_png(tmp_path / "small" / f"{number:05}.png", images[number])
        save_png(tmp_path / "large" / f"{number:05}.png", large[number])
        Image.fromarray(images[number]).save(tmp_path / "small" / f"{number:05}x.bmp")
    (tmp_path / "x").write_bytes(idx_bytes(images))
    (tmp_path / "y").write_bytes(idx_bytes(large))
    small = answers(rows(tmp_path / "small"))
    assert small[::2] == small[1::2] == answers(rows(tmp_path / "x"))
    assert answers(rows(tmp_path / "large")) == answers(rows(tmp_path / "y"))
    right = [row["prediction"] == str(label) for row, label in zip(rows(tmp_path / "x"), few.labels, strict=False)]
    assert sum(right) >= 47  # of 50; one has a wrong label


def test_a_black_jpeg_holds_no_digit_though_its_levels_differ(rows, tmp_path):
    (tmp_path / "in").mkdir()
    for side in (28, 64, 300, 1500):
        dark = np.rint(np.random.default_rng(side).normal(0, 1.5, (side, side))).clip(0).astype(np.uint8)
        Image.fromarray(dark).save(tmp_path / "in" / f"{side}.jpg", quality=90)
        Image.fromarray(dark).save(tmp_path / "in" / f"{side}.webp", quality=90)
    assert [row["error"] for row in rows(tmp_path / "in")] == ["no_digit"] * 8


@pytest.mark.parametrize("shape", [(1, 784), (784, 1)])
@pytest.mark.parametrize("fit", ["auto", "never"])
def test_a_flattened_digit_is_refused_with_a_hint(run, few, tmp_path, shape, fit):
    flat = few.images[0].reshape(shape)
    save_png(tmp_path / "in" / "a.png", flat)
    (tmp_path / "x").write_bytes(idx_bytes(flat[np.newaxis]))
    height, width = shape
    hint = f"wrong_shape ({width}×{height} pixels, a flattened digit; expected 28×28: reshape it to (28, 28))"
    for path, name in (("in", "in/a.png"), ("x", "x[0]")):
        done = run(path, "--out", "p.csv", "--no-report", "--fit", fit)
        assert (done.code, done.stderr.splitlines()[0]) == (3, f"batch-infer: {name}: {hint}")


def test_a_file_is_not_asked_again_whether_it_is_known_to_be_bad(tmp_path):
    chunk = FileChunk([str(tmp_path / "none.png")], np.full(1, -1, np.int8), errors={0: ("no_permission", "d")})
    assert load(chunk, np.arange(1), "auto").errors == [(str(tmp_path / "none.png"), "no_permission", "d")]
