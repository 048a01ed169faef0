"""normalize says what it was given in place of an array."""

import pytest
from PIL import Image

from batch_infer import normalize

torch = pytest.importorskip("torch", reason="one of the cases is its tensor")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ([[0, 255]], "a list of 1 (make it an array: numpy.stack(…))"),
        ("digit.png", "str 'digit.png' (for files: run_job([path]), or "),
        (Image.new("RGB", (28, 28)), "PIL.Image.Image (make it an array: numpy.asarray(image.convert('L')))"),
        (torch.zeros(28, 28), "torch.Tensor (make it an array: tensor.numpy())"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_array_is_named(given, shown):
    with pytest.raises(
        ValueError, match=r"^expected a grey picture of shape \(H, W\) as a NumPy array, got "
    ) as caught:
        normalize(given)
    assert f" got {shown}" in str(caught.value)
