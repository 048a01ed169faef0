"""One's own labelled pictures as training data: read, checked, and split by their content."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import CLASSES
from batch_infer.errors import UsageError
from batch_infer.job.labelled import LabelledImages, read_labelled
from batch_infer.paths import show_path

MIN_PER_CLASS: Final = 20  # to train on one's own pictures alone
FOLDS: Final = 5
PARTS: Final = 20  # into which pictures are divided by their content; each is 5 % of them
HELD_OUT_PARTS: Final = 4  # the first of them, of pictures added to another data set
TEST_PARTS: Final = 3  # the first of them, of pictures that are a data set themselves …
VALIDATION_PARTS: Final = 3  # … and the last
_EXPECTED: Final = {"--add": "", "--data": "train-images-idx3-ubyte and the three files that go with it, "}
_NAMED: Final = 3  # pictures that are named in a message
_OTHER_LABELS: Final = "same_picture_other_label"
_LABELS_OPTION: Final = re.compile(r"(?<![\w-])--labels(?![\w-])")
_GO_WITHOUT: Final = re.compile(r", (?:or|to) go without: --labels none")
_INPUT: Final = re.compile(r"\b(?:the )?INPUT\b")


@dataclass(frozen=True)
class OwnDigits:
    """Labelled pictures in MNIST's format, in the order of their content: names and folders do not matter.

    Attributes:
        images: `(N, 28, 28)` uint8.
        labels: `(N,)` int8, 0–9.
        digests: `(N, 32)` uint8 SHA-256 of each image; equal images are on the same side of every split.
        left_out: number of pictures that cannot be used, by reason.
        messages: lines for people, about pictures that are left out, and labels.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int8]
    digests: npt.NDArray[np.uint8]
    left_out: dict[str, int]
    messages: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def parts(self) -> npt.NDArray[np.int64]:
        """Which of twenty parts each image is in `(N,)`: a number from its content alone, so it stays where it is."""
        return (self.digests[:, :8].copy().view(">u8")[:, 0] % PARTS).astype(np.int64)

    @cached_property
    def folds(self) -> npt.NDArray[np.int64]:
        """Which of five folds of a cross-validation each image is in `(N,)`, independent of `parts`."""
        return (self.digests[:, 8:16].copy().view(">u8")[:, 0] % FOLDS).astype(np.int64)

    @property
    def sha256(self) -> str:
        """SHA-256 of all images and labels."""
        return hashlib.sha256(self.images.tobytes() + self.labels.tobytes()).hexdigest()

    def where(self, chosen: npt.NDArray[np.bool_]) -> "OwnDigits":
        """The chosen ones `(N,)`."""
        return OwnDigits(self.images[chosen], self.labels[chosen], self.digests[chosen], self.left_out, self.messages)

    def count_by_class(self) -> npt.NDArray[np.int64]:
        """Number of images of each digit `(10,)`."""
        return np.bincount(self.labels, minlength=CLASSES)


def read_own_digits(paths: list[str], labels: str | None, option: str) -> OwnDigits:
    """Read labelled pictures: anything that `batch-infer` takes with labels, by the same code.

    Args:
        paths: files and folders.
        labels: CSV `path,label` or `path,index,label`, or an IDX label file; None: as `batch-infer --labels auto`.
        option: the option that named the paths, for messages.

    Raises:
        UsageError: a path is missing, the labels do not fit, or no picture can be used.
        InputLostError: a folder cannot be listed, or a disk is gone.
    """
    shown = f"{option} {', '.join(show_path(path) for path in paths[:_NAMED])}{', …' * (len(paths) > _NAMED)}"
    try:
        found = read_labelled(paths, "auto" if labels is None else labels)
    except UsageError as error:
        raise UsageError(_name_option(str(error), option)) from error
    own, contradicting = _by_content(found)
    left_out = Counter(code for _, code, _ in found.errors)
    messages = [_name_option(text, option) for text in found.notices]
    if found.errors:
        named = ", ".join(f"{path} ({code})" for path, code, _ in found.errors[:_NAMED])
        messages.append(
            f"{shown}: {_count(len(found.errors))} left out, as they cannot be used: "
            f"{named}{', …' * (len(found.errors) > _NAMED)}"
        )
    if contradicting:
        left_out[_OTHER_LABELS] = contradicting
        messages.append(f"{shown}: {_count(contradicting)} left out, as the same picture has another label, too")
    if found.unlabelled:
        left_out["no_label"] = found.unlabelled
        messages.append(f"{shown}: {_count(found.unlabelled)} left out, without a label")
    if not len(own):
        raise UsageError(
            f"{shown}: no labelled picture to learn from (left out: {reasons(left_out)}); expected {_EXPECTED[option]}"
            f"pictures in folders 0 to 9, or a table of labels: {option}-labels FILE"
            f"{''.join(f'; {_name_option(text, option)}' for text in found.notices)}"
        )
    return OwnDigits(own.images, own.labels, own.digests, dict(left_out), tuple(messages))


def require_enough(own: OwnDigits, shown: str) -> None:
    """Check that there are enough pictures of each digit to train on these alone.

    Raises:
        UsageError: there are not.
    """
    counts = own.count_by_class()
    if counts.min() < MIN_PER_CLASS:
        listed = ", ".join(f"{count:,} of {digit}" for digit, count in enumerate(counts.tolist()))
        raise UsageError(
            f"{shown}: too few pictures to train on these alone: {listed}; expected at least {MIN_PER_CLASS} of each "
            "digit; to train on MNIST and these: --add"
        )


def reasons(left_out: dict[str, int]) -> str:
    """Name how many pictures were left out for which reasons, the most frequent first."""
    most = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {reason}" for reason, count in most) or "none"


def digests_of(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Compute the SHA-256 of each image `(N, 28, 28)` uint8 → `(N, 32)` uint8."""
    joined = b"".join(hashlib.sha256(image.tobytes()).digest() for image in images)
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def _by_content(found: LabelledImages) -> tuple[OwnDigits, int]:
    """Sort pictures by content; those that are there with different labels are left out → how many these are."""
    digests = digests_of(found.images)
    order = np.lexsort((found.labels, *digests[:, ::-1].T))
    images, labels, digests = found.images[order], found.labels[order], digests[order]
    groups = np.zeros(len(order), np.int64)
    groups[1:] = np.cumsum((digests[1:] != digests[:-1]).any(axis=1))
    kinds = np.unique(np.stack([groups, labels]), axis=1)[0]
    good = np.bincount(kinds, minlength=1)[groups] == 1
    return OwnDigits(images[good], labels[good], digests[good], {}), int(np.count_nonzero(~good))


def _name_option(text: str, option: str) -> str:
    """Name the option as it is called here in a message of the batch job."""
    return _INPUT.sub(option, _LABELS_OPTION.sub(f"{option}-labels", _GO_WITHOUT.sub("", text)))


def _count(number: int) -> str:
    return "1 picture is" if number == 1 else f"{number:,} pictures are"
