"""A 28×28 picture that is not in MNIST's format is classified normalized and as it is: the surer answer counts.

Normalization is made for digits that somebody wrote, photographed or cut out. Damage to a digit that lies well in its
28 pixels (inverted bands, noise, lines across) can mislead it where it does not mislead the model, and the reverse.
Where the two answers are different digits, each one's doubt lowers the confidence of the other.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import IMAGE_SIZE

_Pictures = npt.NDArray[np.uint8]  # (k, 28, 28)
_LEAST_DOUBT: Final = np.float32(1e-6)  # two answers may both have the probability 1
_MIDDLE: Final = slice(IMAGE_SIZE // 4, IMAGE_SIZE - IMAGE_SIZE // 4)


class Unprepared(NamedTuple):
    """Pictures as they are, light ink on dark.

    Attributes:
        numbers: `(k,)` int64: which of the loaded images each one became by normalization; some occur twice.
        pictures: `(k, 28, 28)` uint8.
    """

    numbers: npt.NDArray[np.int64]
    pictures: _Pictures


NOTHING: Final = Unprepared(np.zeros(0, np.int64), np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8))


def as_they_are(numbers: npt.NDArray[np.int64], pictures: _Pictures) -> Unprepared:
    """Invert those of 28×28 pictures whose ink is dark; where that is in doubt, take them both ways.

    Ink is less than the background: its levels lie farther from the mean. The whole picture tells it, its middle
    columns, and its middle rows; only bands of inverted paper, and crops to the ink, make them disagree. A picture and
    its negative give the same.

    Args:
        numbers: `(k,)` int64, the pictures' places among the loaded images.
        pictures: `(k, 28, 28)` uint8.
    """
    votes = np.stack([_darkness(part) for part in (pictures, pictures[:, :, _MIDDLE], pictures[:, _MIDDLE])])
    light = pictures ^ np.where(votes[0] > 0, np.uint8(255), np.uint8(0))[:, np.newaxis, np.newaxis]
    doubtful = votes.min(axis=0) * votes.max(axis=0) < 0
    return Unprepared(np.concatenate([numbers, numbers[doubtful]]), np.concatenate([light, ~light[doubtful]]))


def _darkness(parts: _Pictures) -> npt.NDArray[np.int64]:
    """Compare the mean of each part `(k, h, w)` with the middle of its levels → `(k,)` 1 for dark ink, -1 for light."""
    levels = parts.min(axis=(1, 2)).astype(np.int64) + parts.max(axis=(1, 2))
    size = parts.shape[1] * parts.shape[2]
    return np.sign(2 * parts.sum(axis=(1, 2), dtype=np.int64) - size * levels)


def surer_probabilities(
    classifier: OnnxClassifier, images: npt.NDArray[np.uint8], unprepared: Unprepared
) -> npt.NDArray[np.float32]:
    """Classify images, and those pictures once more that were normalized although they are 28×28.

    Args:
        classifier: the model.
        images: `(m, 28, 28)` uint8 in MNIST's format.
        unprepared: what some of them were before.

    Returns:
        `(m, 10)` float32: those of each image; of one with an unprepared picture, the surer of both.
    """
    numbers, pictures = unprepared
    if not len(numbers):
        return classifier.predict_proba(images)
    # In one call: each call of the model is padded to a full batch.
    both = classifier.predict_proba(np.concatenate([images, pictures]))
    probabilities, others = both[: len(images)], both[len(images) :]
    order = np.argsort(-others.max(axis=1), kind="stable")[::-1]
    surest = np.full(len(images), -1)
    surest[numbers[order]] = order  # of two pictures for one image the last one stays
    rows = np.flatnonzero(surest >= 0)
    probabilities[rows] = _surer(probabilities[rows], others[surest[rows]])
    return probabilities


def _surer(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Choose between two answers for each picture, both `(k, 10)`, by their highest probability.

    Where they are different digits, they are averaged, each with the doubt of the other as its weight: of one that is
    sure and one that is not the sure one stays as it is, of two that are sure neither stays sure. The digit is the
    surer's in any case.
    """
    confidence = one.max(axis=1), other.max(axis=1)
    surer = np.where((confidence[1] > confidence[0])[:, np.newaxis], other, one)
    doubt = [1 - part + _LEAST_DOUBT for part in confidence]
    weight = (doubt[1] / (doubt[0] + doubt[1]))[:, np.newaxis]
    mean = weight * one + (1 - weight) * other
    digit = surer.argmax(axis=1)
    averaged = (one.argmax(axis=1) != other.argmax(axis=1)) & (mean.argmax(axis=1) == digit)
    return np.where(averaged[:, np.newaxis], mean, surer)
