"""One run at a time: 50 races with one winner each, whose name every loser tells; free at once after kill -9."""

import errno
import fcntl
import json
import os
import re

import pytest
from support.helpers import save_png

from batch_infer.errors import LockError, OutputError
from batch_infer.outputs.lock import locked

# Runs in a process of its own: forks four children for each race, all at the line before the first starts.
RACES = r'''
import json, os, signal, sys
import batch_infer.job.run
from batch_infer.classifier import import_onnxruntime
from batch_infer.errors import LockError

import_onnxruntime()  # loaded once, before the children are forked
source, races = sys.argv[1], int(sys.argv[2])


def child(start, report, release):
    def hold(*_):
        """Called by the one run that has the lock, in the midst of its work."""
        os.write(report, b"%s\n" % json.dumps([os.getpid(), "won"]).encode())
        os.read(release, 1)

    os.read(start, 1)
    try:
        batch_infer.job.run.run_job([source], out="p.csv", workers=1, report=False, progress=hold)
    except LockError as error:
        os.write(report, b"%s\n" % json.dumps([os.getpid(), str(error)]).encode())
    os._exit(0)


for race in range(races):
    start, report, release = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            os.close(start[1])
            child(start[0], report[1], release[0])
        children.append(pid)
    os.close(start[0])
    os.close(start[1])  # off they go
    with os.fdopen(report[0]) as lines:
        os.close(report[1])
        told = [json.loads(lines.readline()) for _ in children]
        winner = next(pid for pid, what in told if what == "won")
        if race % 2:
            os.write(release[1], b"x")
        else:  # half of the winners are killed: the next race begins in the same moment
            os.kill(winner, signal.SIGKILL)
        more = lines.read()
    for pid in children:
        os.waitpid(pid, 0)
    os.close(release[0])
    os.close(release[1])
    print(json.dumps([told, more]))
'''


@pytest.mark.slow
def test_each_of_50_races_has_one_winner_and_the_losers_name_it(few, tmp_path, python):
    save_png(tmp_path / "a.png", few.images[0])
    done = python(RACES, tmp_path / "a.png", 50)
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
    with (tmp_path / "p.lock").open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(LockError) as caught, locked(str(tmp_path / "p.lock")):
            pass
    assert f"another run holds it (pid {os.getpid()}, started now)" in str(caught.value)


@pytest.mark.parametrize(("content", "shown"), [("", "which one it does not say"), ("\x1b[31m\n\0", "%1B[31m%0A%00")])
def test_whatever_stands_in_the_lock_file_the_message_is_one_clean_line(tmp_path, content, shown):
    (tmp_path / "p.lock").write_text(content)
    with (tmp_path / "p.lock").open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(LockError) as caught, locked(str(tmp_path / "p.lock")):
            pass
    assert str(caught.value) == (
        f"{tmp_path}/p.lock: another run holds it ({shown}); wait for it, or choose another --out"
    )


def test_a_file_system_without_locks_is_an_output_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("batch_infer.outputs.lock.fcntl.flock", refuse)
    with pytest.raises(OutputError) as caught, locked(str(tmp_path / "p.lock")):
        pass
    assert str(caught.value) == (f"{tmp_path}/p.lock: cannot be written: No locks available; what was there stays")
