"""Reads labelled pictures of any kind that the batch job reads, as images in MNIST's format: for training."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.inference.cpu_count import usable_cpus
from batch_infer.inference.load_task import LoadTask, decode_rows
from batch_infer.inference.workers.pool import InProcess, Workers
from batch_infer.inputs.chunks import chunks, count_chunks
from batch_infer.inputs.discover import discover
from batch_infer.inputs.labels.attach import attach_labels
from batch_infer.job.listing import name_idx_files
from batch_infer.job.notices import Notices
from batch_infer.job.orientation import orient
from batch_infer.predictions import RowError

_SMALL_JOB: Final = 2048  # images; for so few, starting processes would take longer than the work


class LabelledImages(NamedTuple):
    """Labelled pictures, loaded.

    Attributes:
        images: `(N, 28, 28)` uint8 in MNIST's format.
        labels: `(N,)` int8, 0–9.
        unlabelled: number of pictures without a label; they were not opened.
        errors: `(path, code, detail)` of each picture that cannot be used.
        notices: what a person should know about the labels and the orientation.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int8]
    unlabelled: int
    errors: list[RowError]
    notices: list[str]


class _Collected(Notices):
    """Notices that are not logged: the caller knows in which words its options are called."""

    def add(self, text: str) -> None:
        """Add a notice."""
        if text not in self.texts:
            self.texts.append(text)


def read_labelled(paths: list[str], labels: str = "auto") -> LabelledImages:
    """Read labelled pictures, with the guards of a batch job: a file that crashes its decoder is one error.

    Args:
        paths: as the INPUTs of a batch job.
        labels: as its `--labels`.

    Raises:
        UsageError: a path is missing, or lies inside another, or the labels do not fit.
        InputLostError: a folder cannot be listed, or a disk is gone.
        WorkerError: too many files crash their decoders.
    """
    notices = _Collected(None)
    inventory = discover(paths)
    attach_labels(inventory, labels, notices.add)
    if inventory.skipped.idx_files:
        notices.add(name_idx_files(inventory.skipped.idx_files))
    images, truth = [np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8)], [np.zeros(0, np.int8)]
    errors: list[RowError] = []
    workers = 1 if inventory.total <= _SMALL_JOB else min(usable_cpus(), count_chunks(inventory))
    task = LoadTask.make()
    seen = 0
    with InProcess(task) if workers == 1 else Workers(task, workers) as pool:
        orient(inventory, "auto", pool, notices)
        for result in pool.map(chunks(inventory)):
            found, known, usable = decode_rows(result.encoded)
            images.append(found[usable])
            truth.append(known[usable])
            errors += result.errors
            seen += len(known)
    inventory.check_roots()
    return LabelledImages(np.concatenate(images), np.concatenate(truth), inventory.total - seen, errors, notices.texts)
