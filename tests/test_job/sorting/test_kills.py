"""--sort-into killed with SIGKILL at any moment: nothing foreign is touched, and the next run completes it."""

import json

import pytest
from support.faults.sort_killer import FOREIGN
from support.tiff_files import tiff

from batch_infer.inputs.arrays.idx import idx_bytes

KILLS = 24
ROWS = 8 + 6 + 3  # files, images of the IDX file, pages
BEFORE = "3 3 3 3 5 5 5 5 " + "1 1 1 1 1 1 " + "2 2 error"
AFTER = "3 3 7 5 5 review - error " + "1 1 8 8 8 1 " + "2 6 error"


@pytest.fixture
def inputs(pngs, few, tmp_path):
    names = [f"{number}.png" for number in range(4)] + ["x/0.png", "x/1.png", "x/2.png", "x/4.png"]
    pngs(*names, folder="in")
    (tmp_path / "few.idx").write_bytes(idx_bytes(few.images[:6]))
    (tmp_path / "scan.tif").write_bytes(tiff(*few.images[:3]))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("way", ["symlink", "hardlink", "copy"])
def test_a_killed_run_is_completed_by_the_next_and_foreign_files_stay(program, inputs, way):
    done = program("faults.sort_killer", inputs, way, KILLS, BEFORE, AFTER)
    assert done.code == 0, done.stderr
    whole, *killed = map(json.loads, done.stdout.splitlines())
    assert len(killed) == KILLS
    assert len(whole["completed"]) == ROWS - 1 + len(FOREIGN)
    assert len({frozenset(one["killed"]) for one in killed}) > 5  # the moments differ
    for one in killed:
        assert one["completed"] == whole["completed"]
        # If it is killed at its very end, the next run changes nothing and leaves SQLite's finished journal.
        assert set(one["kept"]) - {"list-journal"} == {"about.txt", "list", "lock"}
        for name, content in FOREIGN.items():
            assert one["killed"][name] == content.hex()
