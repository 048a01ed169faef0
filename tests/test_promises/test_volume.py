"""200,000 files in one folder: bounded memory, and 100 new ones among them do not cost what all of them did."""

import json
import os
import shutil
import sys

import pytest
from support.helpers import save_png

pytestmark = pytest.mark.slow  # makes 200,000 links

FILES = 200_000


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="/proc says what the peak of memory was")
def test_200_000_files_take_bounded_memory_and_are_taken_over(few, tmp_path, program):
    sources = [save_png(tmp_path / f"{number}.png", few.images[number]) for number in range(8)]
    (tmp_path / "in").mkdir()
    descriptor = os.open(tmp_path / "in", os.O_RDONLY)
    for number in range(FILES):  # a file may have 65,000 names
        os.link(sources[number % 8], f"scan-{number:06}.png", dst_dir_fd=descriptor)
    os.close(descriptor)
    first = program("watched.opened_files")
    assert (first.code, first.stderr) == (0, "")
    *counts, peak = json.loads(first.stdout)
    assert counts == [0, FILES, FILES]
    assert peak < 400
    before = (tmp_path / "p.csv").read_bytes()
    for number in range(100):
        save_png(tmp_path / "in" / f"scan-{number:06}-new.png", few.images[number])
    second = program("watched.opened_files")
    assert (second.code, second.stderr) == (0, "")
    *counts, peak = json.loads(second.stdout)
    assert counts == [0, FILES + 100, 100]
    assert peak < 400
    lines = (tmp_path / "p.csv").read_bytes().splitlines()
    assert [line for line in lines if b"-new.png" not in line] == before.splitlines()
    shutil.rmtree(tmp_path / "in")  # pytest would keep it
