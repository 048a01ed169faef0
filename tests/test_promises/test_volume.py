"""200,000 files in one folder: bounded memory, and 100 new ones among them do not cost what all of them did."""

import json
import os
import shutil

import pytest
from support.helpers import save_png

pytestmark = pytest.mark.slow  # makes 200,000 links

FILES = 200_000

# A process of its own, for its peak of memory. What decoding costs is left out (that is not what grows): a picture is
# its file's size. Everything else is the real thing, the model included.
COUNTING = """
import json, os, sys
import numpy as np
import batch_infer.inference.classify, batch_infer.job.incremental
from batch_infer.job.run import run_job

opened = 0
def load(chunk, todo, settings):
    global opened
    opened += len(todo)
    sizes = [os.stat(chunk.paths[row]).st_size for row in todo.tolist()]
    images = np.zeros((len(todo), 28, 28), np.uint8)
    images[:, 5:20, 12:15] = np.array(sizes).astype(np.uint8)[:, None, None]
    return images, np.zeros(len(todo), np.uint8), []

batch_infer.inference.classify.load = load
batch_infer.job.incremental._YOUNG = 0
summary = run_job(["in"], out="p.csv", workers=1, incremental=True)
# Not ru_maxrss: that counts what the process was before exec, a copy of pytest, too.
(peak,) = [int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps([summary.exit_code, summary.tally.rows, opened, peak]))
"""


def test_200_000_files_take_bounded_memory_and_are_taken_over(few, tmp_path, python):
    sources = [save_png(tmp_path / f"{number}.png", few.images[number]) for number in range(8)]
    (tmp_path / "in").mkdir()
    descriptor = os.open(tmp_path / "in", os.O_RDONLY)
    for number in range(FILES):  # a file may have 65,000 names
        os.link(sources[number % 8], f"scan-{number:06}.png", dst_dir_fd=descriptor)
    os.close(descriptor)
    first = python(COUNTING, timeout=400)
    assert (first.code, first.stderr) == (0, "")
    *counts, peak = json.loads(first.stdout)
    assert counts == [0, FILES, FILES]
    assert peak < 400
    before = (tmp_path / "p.csv").read_bytes()
    for number in range(100):
        save_png(tmp_path / "in" / f"scan-{number:06}-new.png", few.images[number])
    second = python(COUNTING, timeout=400)
    assert (second.code, second.stderr) == (0, "")
    *counts, peak = json.loads(second.stdout)
    assert counts == [0, FILES + 100, 100]
    assert peak < 400
    lines = (tmp_path / "p.csv").read_bytes().splitlines()
    assert [line for line in lines if b"-new.png" not in line] == before.splitlines()
    shutil.rmtree(tmp_path / "in")  # pytest would keep it
