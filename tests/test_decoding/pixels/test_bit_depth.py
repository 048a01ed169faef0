"""Deep and floating-point greys → 8 bits."""

import numpy as np
import pytest
from support.pictures import RAMP, encoded, fault, pfm

from batch_infer.decoding.decode import decode


def test_deep_greys_are_stretched_not_clamped():
    values = np.linspace(1000, 4000, 120).reshape(10, 12)
    for data in (encoded(values.astype(np.uint16)), pfm(values), pfm(-values)):
        grey = decode(data).grey.astype(int).ravel()
        assert {grey[0], grey[-1]} == {0, 255}
        assert len(np.unique(grey)) == 120


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_float_that_is_no_number_is_non_finite(value):
    values = RAMP / 255
    values[3, 4] = value
    assert fault(pfm(values)) == ("non_finite", "NaN or infinity among the pixels")
