"""How many workers are started by default: as many as there are cores to use, also under a quota."""

import os
import sys
from pathlib import Path

import pytest

from batch_infer.inference.cpu_count import usable_cpus

MOUNTS = Path("/sys/fs/cgroup")


def bound() -> int:
    """How many cores this process is bound to; where nothing can bind it, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine of 64 cores with /proc/self/cgroup and files below /sys/fs/cgroup."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)

    def make(groups: str | bytes, **files: str) -> str:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_bytes(groups.encode() if isinstance(groups, str) else groups)
        for name, content in files.items():
            path = tmp_path / "sys/fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return str(tmp_path)

    return make


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("200000 100000\n", 2), ("150000 100000\n", 2), ("100001 100000\n", 2), ("100000 100000\n", 1),
        ("1000 100000\n", 1), ("25000 10000\n", 3), ("9900000 100000\n", 64), ("max 100000\n", 64),
        ("", 64), ("200000\n", 64), ("0 100000\n", 64), ("-1 100000\n", 64), ("200000 0\n", 64),
        ("two 100000\n", 64), ("200000 100000 1\n", 64), ("\0\N{SNOWMAN}", 64),
    ],
)  # fmt: skip
def test_a_quota_is_rounded_up_and_what_is_none_is_passed_over(system, content, cores):
    assert usable_cpus(system("0::/job\n", **{"job/cpu.max": content})) == cores


def test_the_smallest_quota_from_the_group_up_to_the_root_counts(system):
    files = {"a/b/c/cpu.max": "800000 100000", "a/b/cpu.max": "300000 100000", "a/cpu.max": "max 100000"}
    assert usable_cpus(system("0::/a/b/c\n", **files, **{"a/x/cpu.max": "100000 100000"})) == 3


@pytest.mark.parametrize("path", ["/", "/kubepods/pod1/of-the-host", "/../../outside"])
def test_in_a_container_the_root_is_its_own_group(system, path):
    assert usable_cpus(system(f"0::{path}\n", **{"cpu.max": "300000 100000\n"})) == 3


@pytest.mark.parametrize(
    ("controllers", "folder"), [("cpu,cpuacct", "cpu,cpuacct"), ("cpu,cpuacct", "cpu"), ("cpu", "cpu")]
)
def test_version_1_has_quota_and_period_in_two_files(system, controllers, folder):
    root = system(
        f"12:memory:/job\n3:{controllers}:/job/step\n2:cpuset:/\n0::/\n",
        **{
            f"{folder}/job/step/cpu.cfs_quota_us": "-1\n",
            f"{folder}/job/step/cpu.cfs_period_us": "100000\n",
            f"{folder}/job/cpu.cfs_quota_us": "250000\n",
            f"{folder}/job/cpu.cfs_period_us": "100000\n",
            "memory/job/cpu.cfs_quota_us": "100000\n",
            "memory/job/cpu.cfs_period_us": "100000\n",
        },
    )
    assert usable_cpus(root) == 3


@pytest.mark.parametrize(
    "groups", ["", "\n\n", "0::\n", "nonsense", "0:::/:\n", b"0::/\0\xff\n", "1:cpu\n", "0::/gone\n"]
)
def test_odd_or_missing_files_are_no_quota(system, groups):
    assert usable_cpus(system(groups)) == 64


def test_without_control_groups_the_cores_it_is_bound_to_count(tmp_path):
    assert usable_cpus(str(tmp_path)) == bound()


def test_fewer_cores_than_the_quota_pays_for_are_all_there_is(system, monkeypatch):
    root = system("0::/\n", **{"cpu.max": "300000 100000\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert usable_cpus(root) == 1


@pytest.mark.skipif(bound() < 2, reason="one core is one worker, with a quota or without: nothing could fail here")
@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
def test_a_real_control_group_with_a_quota_of_half_a_core_is_one(program):
    groups = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    first = next((names for names in groups if "cpu" in names.split(",")), "")
    group = MOUNTS / first / groups.get(first, "/").strip("/") / f"mnist-logistic-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"only root may make a control group; the files above stand for one: {error}")
    try:
        try:
            (group / ("cpu.cfs_quota_us" if first else "cpu.max")).write_text("50000")
        except OSError as error:
            pytest.skip(
                f"this machine has no CPU controller to set a quota with; the files above stand for one: {error}"
            )
        done = program("limits.control_group", group / "cgroup.procs")
        assert (done.code, done.stdout) == (0, "1\n"), done.stderr
    finally:
        group.rmdir()
