"""One run at a time: 50 races with one winner each, whose name every loser tells; free at once after kill -9."""

import fcntl
import json
import os
import re

import pytest
from support.helpers import save_png

from batch_infer.errors import LockError
from batch_infer.outputs.lock import locked


@pytest.mark.slow
def test_each_of_50_races_has_one_winner_and_the_losers_name_it(few, tmp_path, program):
    save_png(tmp_path / "a.png", few.images[0])
    done = program("faults.lock_races", tmp_path / "a.png", 50)
    assert (done.code, done.stderr) == (0, "")
    races = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(races) == 50
    for told, more in races:
        assert more == ""
        (winner,) = [pid for pid, what in told if what == "won"]
        losers = [what for pid, what in told if pid != winner]
        expected = (
            rf"p\.lock: another run holds it \(pid {winner}, started 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\); wait for it"
        )
        assert len(losers) == 3
        assert all(re.match(expected, what) for what in losers), losers


def test_the_lock_file_of_a_run_that_ended_names_nobody(tmp_path):
    with locked(str(tmp_path / "p.lock")):
        assert (tmp_path / "p.lock").read_text().startswith(f"pid {os.getpid()}, started 2")
    assert (tmp_path / "p.lock").read_text() == ""


def test_a_lock_file_that_names_a_dead_process_is_waited_for_and_then_shown(tmp_path, monkeypatch):
    # What stands there until the winner wrote its own: a moment is waited for that.
    def sleep(_):
        (tmp_path / "p.lock").write_text(f"pid {os.getpid()}, started now\n")

    (tmp_path / "p.lock").write_text(f"pid {2**22 + 1}, started then\n")  # beyond the highest pid of Linux
    monkeypatch.setattr("batch_infer.outputs.lock.time.sleep", sleep)
    monkeypatch.setattr("batch_infer.outputs.lock._PATIENCE", 60)  # seconds; a busy machine may need longer than usual
    with (tmp_path / "p.lock").open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(LockError) as caught, locked(str(tmp_path / "p.lock")):
            pass
    assert f"another run holds it (pid {os.getpid()}, started now)" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "shown"), [("", "it does not say which one"), ("pid \x1b[31m\n\0", "pid %1B[31m%0A%00")]
)
def test_whatever_stands_in_the_lock_file_the_message_is_one_clean_line(tmp_path, content, shown):
    (tmp_path / "p.lock").write_text(content)
    with (tmp_path / "p.lock").open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(LockError) as caught, locked(str(tmp_path / "p.lock")):
            pass
    assert str(caught.value) == (
        f"{tmp_path}/p.lock: another run holds it ({shown}); wait for it, or choose another --out"
    )
