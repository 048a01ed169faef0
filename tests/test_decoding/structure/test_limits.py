"""Files that are small and take a decoder hours or gigabytes: refused by counting; and what real files have passes."""

import io

import numpy as np
import pytest
from PIL import Image
from support.helpers import png_chunk
from support.pictures import (
    BOMB,
    FAR_OVER_OURS,
    OVER_OURS,
    encoded,
    fault,
    gif,
    webp,
)
from support.pictures import jpeg as claiming

from batch_infer.decoding.decode import decode
from batch_infer.decoding.structure.limits import MAX_CHUNKS, MAX_COMMENTS, MAX_SCANS, MAX_SEGMENTS, check_structure


def saved(kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(file, kind, **options)
    return file.getvalue()


def jpeg(*, segments: int = 0, scans: int = 0, progressive: bool = True) -> bytes:
    """A JPEG with that many more empty segments before, and copies of its last scan behind its own."""
    data = saved("JPEG", progressive=progressive)
    last = data.rindex(b"\xff\xda")
    return data[:2] + b"\xff\xe5\0\2" * segments + data[2:-2] + data[last:-2] * scans + data[-2:]


def png(chunks: int) -> bytes:
    data = saved("PNG")
    return data[:33] + png_chunk(b"abCd") * chunks + data[33:]


def plain(comments: int) -> bytes:
    return b"P2\n28 28\n255\n" + b"#\n" * comments + b"0 " * 784


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (jpeg(scans=MAX_SCANS), "more than 100 scans"),
        (jpeg(scans=MAX_SCANS, progressive=False), "more than 100 scans"),
        (jpeg(segments=MAX_SEGMENTS), "more than 10,000 segments"),
        (png(MAX_CHUNKS), "more than 100,000 chunks"),
        (plain(MAX_COMMENTS + 1), "more than 1,000 comments"),
        (plain(MAX_COMMENTS + 1).replace(b"P2", b"P1"), "more than 1,000 comments"),
    ],
    ids=["scans", "baseline scans", "segments", "chunks", "comments", "comments of one bit"],
)
def test_too_many_of_something_is_too_large(data, detail):
    assert fault(data) == ("too_large", detail)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(scans=MAX_SCANS - 20),
        jpeg(segments=MAX_SEGMENTS - 20),
        jpeg(progressive=False),
        saved("JPEG", restart_marker_blocks=1),
        png(MAX_CHUNKS - 20),
        plain(MAX_COMMENTS),
    ],
    ids=["scans", "segments", "baseline", "restarts", "chunks", "comments"],
)
def test_fewer_are_decoded(data):
    assert decode(data).grey.ndim == 2


def test_what_looks_like_scans_inside_or_behind_the_picture_is_not_counted():
    data = saved("JPEG")
    within = b"\xff\xe1\xff\xff" + b"\xff\xda" * 32_766 + b"\0"  # a segment of 65,535 bytes
    check_structure(data[:2] + within + data[2:] + b"\xff\xda" * 30_000, "JPEG")


def test_a_number_sign_is_no_comment_in_binary_pixels():
    check_structure(b"P5\n28 28\n255\n" + b"#" * 784 * 2, "PPM")


def large(mode: str) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (2050, 1300, 4), np.uint8)
    image = Image.fromarray(noise)
    return image.convert("RGB").convert("P") if mode == "P" else image.convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_averaging_down_strip_by_strip_gives_what_the_whole_picture_gives(mode):
    from batch_infer.decoding.pixels.pillow_modes import _convert_and_downscale

    image = large(mode)
    target = "RGB" if mode in {"RGB", "P"} else "RGBA"
    assert np.array_equal(
        np.asarray(_convert_and_downscale(image, target, 3)), np.asarray(image.convert(target).reduce(3))
    )


def test_the_bomb_is_a_small_file():
    assert len(BOMB) < 25_000
    assert len(OVER_OURS["PNG"]) < 25_000


@pytest.mark.parametrize("data", FAR_OVER_OURS.values(), ids=FAR_OVER_OURS)
def test_headers_far_beyond_the_pixel_limit_are_too_large(data):
    assert fault(data) == ("too_large", "60000×60000 pixels (3,600,000,000); expected at most 50,000,000")


@pytest.mark.parametrize("data", OVER_OURS.values(), ids=OVER_OURS)
def test_headers_beyond_the_pixel_limit_are_too_large(data):
    assert fault(data) == ("too_large", "8000×8000 pixels (64,000,000); expected at most 50,000,000")


def test_webp_has_a_lower_limit():
    for side in (5000, 16_383):
        assert fault(webp(side, side)) == (
            "too_large",
            f"{side}×{side} pixels ({side**2:,}); expected at most 16,000,000",
        )


def test_a_gif_whose_picture_is_larger_than_its_screen_is_too_large():
    assert fault(gif(60_000, 60_000, screen=8)) == ("too_large", "3,600,000,000 pixels; expected at most 50,000,000")


def test_the_limit_of_a_jpeg_counts_what_is_decoded():
    assert fault(claiming(60_000, 60_000)) == (
        "too_large", "60000×60000 pixels (56,250,000 at 1/8 of their size); expected at most 50,000,000",
    )  # fmt: skip
    assert fault(claiming(65_535, 1000))[1] == "65535×1000 pixels (65,535,000); expected at most 50,000,000"
    assert decode(claiming(56_000, 56_000)).grey.shape == (1000, 1000)  # 49 million


@pytest.mark.parametrize("size", [(12_000, 9_000), (9_000, 12_000), (16_320, 12_240)])
def test_photos_of_108_and_200_megapixels_are_decoded_at_an_eighth(size):
    picture = Image.new("L", size, 220)
    picture.paste(30, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    grey = decode(encoded(picture, "JPEG", quality=50)).grey
    assert grey.shape[0] / grey.shape[1] == pytest.approx(size[1] / size[0], abs=0.01)
    assert abs(int(grey[0, 0]) - 220) <= 3
    assert abs(int(grey[3 * grey.shape[0] // 8, 3 * grey.shape[1] // 8]) - 30) <= 3


def test_a_progressive_jpeg_is_held_in_memory_at_its_full_size():
    data = claiming(12_000, 9_000, progressive=True)
    assert fault(data) == ("too_large", "12000×9000 pixels (108,000,000); expected at most 50,000,000")


def test_a_jpeg_of_several_scans_is_held_in_memory_at_its_full_size():
    data = encoded(Image.new("RGB", (64, 64)), "JPEG")
    scan = data.rindex(b"\xff\xda")
    data = data[:scan] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + data[scan + 14 :]  # of one channel alone
    place = data.index(b"\xff\xc0") + 5
    data = data[:place] + (9_000).to_bytes(2, "big") + (12_000).to_bytes(2, "big") + data[place + 4 :]
    assert fault(data) == ("too_large", "12000×9000 pixels (108,000,000); expected at most 50,000,000")
