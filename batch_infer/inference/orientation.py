"""Whether a file's images are stored transposed, as EMNIST publishes its digits: found by what the model says."""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import UNKNOWN
from batch_infer.inference.load import load
from batch_infer.inputs.arrays.source import LEAST_SAMPLE, ArraySource
from batch_infer.inputs.chunks import ArrayChunk

_MIN_IMAGES: Final = 30  # for so many, draws of MNIST that hold any classes were never taken for transposed ones
_MIN_GAIN: Final = 0.05  # of the mean confidence, if the images are turned
_DOUBTFUL_GAIN: Final = 0.02


class Orientation(NamedTuple):
    """How a file's images lie.

    Attributes:
        transposed: whether they are to be turned.
        doubtful: whether they are not turned, though they look it.
    """

    transposed: bool
    doubtful: bool


def sample_of(source: ArraySource) -> ArrayChunk:
    """Make the chunk of images by which the orientation of a source is found."""
    labels = np.full(len(source.sample_places), UNKNOWN, np.int8)
    return ArrayChunk(source, 0, labels, source.read_sample() if source.sequential else None, is_sample=True)


def find_orientation(sample: ArrayChunk, classifier: OnnxClassifier, fit: str) -> Orientation:
    """Compare the mean confidence in the images of a sample as they are, and turned.

    Raises:
        InputLostError: the file was changed during the run, or cannot be read any more.
    """
    if len(sample.labels) < LEAST_SAMPLE:
        return Orientation(transposed=False, doubtful=False)
    sample = replace(sample, images=sample.read())
    rows = np.arange(len(sample.labels))
    upright, turned = (load(replace(sample, turned=way), rows, fit) for way in (False, True))
    valid = (upright.error_numbers == 0) & (turned.error_numbers == 0)
    count = int(np.count_nonzero(valid))
    if count < LEAST_SAMPLE:
        return Orientation(transposed=False, doubtful=False)
    before, after = (classifier.predict_proba(way.images[valid]).max(axis=1).mean() for way in (upright, turned))
    gain = float(after - before)
    transposed = bool(count >= _MIN_IMAGES and gain >= _MIN_GAIN)
    looks = gain >= (_DOUBTFUL_GAIN if count >= _MIN_IMAGES else _MIN_GAIN)
    return Orientation(transposed, doubtful=bool(looks and not transposed))
