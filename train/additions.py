"""One's own pictures beside a data set: those to train on, and those that are held out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from batch_infer.errors import UsageError
from train.data import Dataset
from train.own_digits import HELD_OUT_PARTS, OwnDigits, digests_of, read_own_digits, reasons

_KNOWN = "in_the_data_set"


@dataclass(frozen=True)
class Additions:
    """One's own pictures.

    Attributes:
        own: all of them, without those that are images of the data set, too.
        train: those to train on.
        held_out: about a fifth, chosen by their content; nothing is trained on them nor chosen by them.
    """

    own: OwnDigits
    train: OwnDigits
    held_out: OwnDigits

    def describe(self) -> dict[str, Any]:
        """What config.json and the metadata of an exported model say: no path."""
        return {
            "pictures": len(self.own),
            "per_class": self.own.count_by_class().tolist(),
            "trained_on": len(self.train),
            "held_out": len(self.held_out),
            "left_out": self.own.left_out,
            "sha256": self.own.sha256,
        }


def load_additions(paths: tuple[str, ...], labels: str | None, dataset: Dataset) -> Additions | None:
    """Load the pictures of `--add`; None if there is no such option.

    Args:
        paths: files and folders.
        labels: the file of `--add-labels`; None: as `batch-infer --labels auto`.
        dataset: what they are added to. Its own images are left out of them: those of its test split must not be
            trained on, and of the others the held-out ones would be known.

    Raises:
        UsageError: there is no picture to train on.
    """
    if not paths:
        if labels is not None:
            raise UsageError(f"--add-labels {labels}: are the labels of --add PATH; name the pictures, too")
        return None
    own = read_own_digits(list(paths), labels, "--add")
    known = {digest.tobytes() for split in (dataset.train, dataset.test) for digest in digests_of(split.images)}
    new = np.array([digest.tobytes() not in known for digest in own.digests], np.bool_)
    messages, left_out = own.messages, own.left_out
    if not new.all():
        count = int(np.count_nonzero(~new))
        left_out = {**left_out, _KNOWN: count}
        messages = (*messages, f"--add: {count:,} of the pictures are images of {dataset.name} and left out")
        own = own.where(new)
    own = OwnDigits(own.images, own.labels, own.digests, left_out, messages)
    held_out = own.parts < HELD_OUT_PARTS
    additions = Additions(own, own.where(~held_out), own.where(held_out))
    if not len(additions.train):
        raise UsageError(
            f"--add: none of the pictures is left to train on: {len(own):,} held out, as a fifth of them by their "
            f"content; left out: {reasons(left_out)}; add more"
        )
    return additions
