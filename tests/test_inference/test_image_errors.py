"""Whatever is raised at one image becomes the error of its row, but what ends a run does end it."""

import errno

import numpy as np
import pytest

from batch_infer.errors import HungUpError, ImageError, InterruptError, TerminatedError
from batch_infer.inference.image_errors import error_of_image
from batch_infer.normalization.pipeline import normalize


def raised(work) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any
        work()
    return caught.value


def test_the_error_of_an_image_stays_what_it_is():
    assert error_of_image(ImageError("truncated", "ends early")) == ("truncated", "ends early")


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(2), TerminatedError(), InterruptError(), HungUpError()]
)
def test_what_ends_a_run_is_raised_again(error):
    assert raised(lambda: error_of_image(error)) is error


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "x"), RuntimeError("std::bad_alloc")])
def test_memory_that_is_not_to_be_had_is_too_large(error):
    assert error_of_image(error)[0] == "too_large"


def test_no_memory_for_a_library_is_no_images_fault():
    error = ImportError("libopencv.so: failed to map segment from shared object")
    assert raised(lambda: error_of_image(error)) is error


def test_numpys_own_memory_error_is_too_large():
    assert error_of_image(raised(lambda: np.zeros(1 << 50, np.uint8)))[0] == "too_large"


def test_anything_else_is_an_internal_error_at_our_innermost_line():
    error = raised(lambda: normalize(np.zeros((2, 2, 2, 2), np.uint8)))
    code, detail = error_of_image(error)
    assert code == "internal_error"
    assert detail.startswith("ValueError at batch_infer/decoding/pixels/bit_depth.py:")
    assert detail.endswith("(); please report this line, with the file")
    assert "\n" not in detail


def test_exceptions_that_are_no_ordinary_ones_are_caught_too():
    class PanicError(BaseException):  # as Rust's libraries raise
        pass

    assert error_of_image(PanicError())[0] == "internal_error"
