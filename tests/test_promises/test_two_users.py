"""Several users, one output: each may take the lock, and readers keep what they could read."""

import os
import struct
import subprocess
import sys

import pytest
from support.helpers import read_rows, save_png
from support.sorting import lay

from batch_infer.job.run import run_job

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")]

ANNA, BERT, TEAM = 54321, 54322, 54400
ACL = "system.posix_acl_access"


def own(path, user, group, mode):
    os.chown(path, user, group)
    path.chmod(mode)


@pytest.mark.parametrize("umask", ["022", "077"])
def test_after_a_first_try_of_root_the_folders_owner_runs_the_job(common, as_user, umask):
    out = common / "out"
    out.mkdir()
    own(out, ANNA, ANNA, 0o755)
    assert as_user(common / "in", "--out", out / "p.csv", user=0, groups="0", umask=umask).code == 0
    done = as_user(common / "in", "--out", out / "p.csv")
    assert (done.code, done.stderr) == (0, "")
    assert (out / "p.lock").stat().st_uid == 0
    assert (out / "p.csv").stat().st_uid == ANNA
    runs = (out / "p.history.csv").read_text().count("\n") - 1
    assert runs == (2 if umask == "022" else 1)  # what may not be read begins anew, like any report


def test_a_lock_that_another_user_holds_is_respected_by_one_who_may_only_read_it(common, as_user):
    out = common / "out"
    out.mkdir()
    own(out, ANNA, ANNA, 0o755)
    holder = "import sys, fcntl; f = open(sys.argv[1], 'w'); f.write('pid 1, started then\\n'); f.flush()\n"
    holder += "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, out / "p.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        done = as_user(common / "in", "--out", out / "p.csv")
        process.stdin.close()
    assert done.code == 7
    assert done.stderr == (
        f"batch-infer: {out}/p.lock: another run holds it (pid 1, started then); wait for it, or choose another --out\n"
    )


@pytest.mark.parametrize("umask", ["022", "077"])
@pytest.mark.parametrize("mode", [0o775, 0o2775])
def test_members_of_a_group_take_turns(common, as_user, umask, mode):
    out = common / "out"
    out.mkdir()
    own(out, 0, TEAM, mode)
    for user in (ANNA, BERT, ANNA):
        done = as_user(common / "in", "--out", out / "p.csv", user=user, groups=f"{user},{TEAM}", umask=umask)
        assert (done.code, done.stderr) == (0, "")
        assert (out / "p.csv").stat().st_uid == user
    status = (out / "p.lock").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o060) == (ANNA, TEAM, 0o060)


def test_a_lock_that_cannot_even_be_read_says_what_to_do(common, as_user):
    out = common / "out"
    out.mkdir()
    own(out, ANNA, ANNA, 0o755)
    (out / "p.lock").touch()
    (out / "p.lock").chmod(0o600)
    done = as_user(common / "in", "--out", out / "p.csv")
    assert (done.code, done.stderr) == (
        6,
        (
            f"batch-infer: {out}/p.lock: belongs to another user, who alone may open it; "
            f"as that user or root: chmod a+r {out}/p.lock\n"
        ),
    )


def test_a_replaced_file_keeps_owner_group_and_mode_and_no_set_uid_bit(tmp_path, few):
    save_png(tmp_path / "in" / "0.png", few.images[0])
    (tmp_path / "p.csv").touch()
    own(tmp_path / "p.csv", ANNA, TEAM, 0o6640)
    run_job([tmp_path / "in"], out=tmp_path / "p.csv")
    status = (tmp_path / "p.csv").stat()
    assert (status.st_uid, status.st_gid, oct(status.st_mode & 0o7777)) == (ANNA, TEAM, "0o640")
    assert len(read_rows(tmp_path / "p.csv")) == 1


def test_a_member_keeps_the_group_and_one_who_is_none_grants_his_own_group_nothing_new(common, as_user):
    out = common / "out"
    out.mkdir()
    own(out, 0, 0, 0o777)
    for groups, expected in ((f"{ANNA},{TEAM}", (TEAM, 0o640)), (f"{ANNA}", (ANNA, 0o600))):
        (out / "p.csv").touch()
        own(out / "p.csv", BERT, TEAM, 0o640)
        done = as_user(common / "in", "--out", out / "p.csv", groups=groups)
        assert (done.code, done.stderr) == (0, "")
        status = (out / "p.csv").stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (ANNA, *expected)


def acl(*entries: tuple[int, int, int]) -> bytes:
    """A POSIX ACL as Linux keeps it: tag, permissions, number."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
BERT_READS = acl((1, 6, NOBODY), (2, 4, BERT), (4, 0, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY))


def test_a_replaced_file_keeps_its_acl_and_attributes_and_who_read_it_still_does(common):
    out = common / "p.csv"
    out.touch()
    try:
        os.setxattr(out, ACL, BERT_READS)
        os.setxattr(out, "user.origin", b"scanner 7")
    except OSError:
        pytest.skip("this file system keeps no ACLs or attributes")
    run_job([common / "in"], out=out)
    assert (os.getxattr(out, ACL), os.getxattr(out, "user.origin")) == (BERT_READS, b"scanner 7")
    for user, code in ((BERT, 0), (ANNA, 1)):
        reader = subprocess.run(["head", "-c1", out], user=user, group=user, extra_groups=[], check=False)
        assert reader.returncode == code


def test_a_replaced_file_without_an_acl_gets_none_from_its_folder(common):
    (common / "out").mkdir()
    (common / "out" / "p.csv").touch()
    (common / "out" / "p.csv").chmod(0o640)
    try:
        os.setxattr(common / "out", "system.posix_acl_default", BERT_READS)
    except OSError:
        pytest.skip("this file system keeps no ACLs")
    run_job([common / "in"], out=common / "out" / "p.csv")
    assert ACL not in os.listxattr(common / "out" / "p.csv")
    assert (common / "out" / "p.csv").stat().st_mode & 0o7777 == 0o640


def test_a_sorted_folder_that_another_user_made_is_exit_6_before_the_publication(common, as_user):
    made = common / "sorted"
    lay([common / "in"], "7 2", made)
    own(common, ANNA, ANNA, 0o755)
    done = as_user(common / "in", "--out", common / "p.csv", "--sort-into", made)
    assert (done.code, done.stderr) == (6, f"batch-infer: {made}/0: cannot be written by this user\n")
    assert not (common / "p.csv").exists()
