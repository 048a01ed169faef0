"""Run an incremental job of the folder in/ without decoding → exit code, rows, files opened, peak memory in MB.

Decoding is left out, as its cost does not depend on the number of files: a picture is made from its file's size.
Everything else is real, including the model.
"""

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

import batch_infer.inference.classify
import batch_infer.job.state.incremental
from batch_infer.inference.load import Loaded
from batch_infer.inputs.chunks import FileChunk
from batch_infer.job.run import run_job

opened = 0


def load(chunk: FileChunk, todo: npt.NDArray[np.int64], *_: Any, **__: Any) -> Loaded:
    """Make images `(n, 28, 28)` uint8 of the sizes of files, in place of batch_infer.inference.load."""
    global opened  # noqa: PLW0603 - one run a process
    opened += len(todo)
    sizes = [os.stat(chunk.paths[row]).st_size for row in todo.tolist()]
    images = np.zeros((len(todo), 28, 28), np.uint8)
    images[:, 5:20, 12:15] = np.array(sizes).astype(np.uint8)[:, None, None]
    return Loaded(images, np.zeros(len(todo), np.uint8), np.zeros(len(todo), np.bool_), [])


def peak() -> int:
    """Peak resident memory in MB; not ru_maxrss, which counts what the process was before exec: a copy of pytest."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    with (
        mock.patch.object(batch_infer.inference.classify, "load", load),
        mock.patch.object(batch_infer.job.state.incremental, "_YOUNG", 0),
    ):
        summary = run_job(["in"], out="p.csv", workers=1, incremental=True)
    print(json.dumps([summary.exit_code, summary.tally.rows, opened, peak()]))
