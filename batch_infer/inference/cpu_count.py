"""How many CPUs this process may use: those of its affinity mask, but no more than a container's quota allows."""

import contextlib
import os
from collections.abc import Iterator


def usable_cpus(root: str = "/") -> int:
    """Count the CPUs that this process may use, at least 1.

    A quota (Kubernetes' CPU limit, `docker run --cpus`, systemd's CPUQuota) does not hide CPUs, but more processes than
    it allows would only be throttled. It is rounded up, so that 1.5 CPUs are 2 workers.

    Args:
        root: where proc/ and sys/ are.
    """
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affine, *_quotas(root)]))


def _quotas(root: str) -> Iterator[int]:
    """Find the quotas of this process's control groups and all above them, in whole CPUs.

    Inside a container the path may be the host's, which is not visible there; what is mounted is then the container's
    own group, at which the walk upwards ends. Anything missing or malformed counts as no quota.
    """
    mounts = os.path.join(root, "sys/fs/cgroup")
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            folders = _upwards(mounts, path)
            # "150000 100000", or "max …"
            limits = [_read(os.path.join(folder, "cpu.max")).split() for folder in folders]
        elif "cpu" in controllers.split(","):
            folders = _upwards(os.path.join(mounts, controllers), path) + _upwards(os.path.join(mounts, "cpu"), path)
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")  # a quota of -1 means none
            limits = [[_read(os.path.join(folder, name)) for name in names] for folder in folders]
        else:
            continue
        for limit in limits:
            with contextlib.suppress(ValueError):
                quota, period = map(int, limit)
                if quota > 0 and period > 0:
                    yield -(-quota // period)


def _upwards(mount: str, path: str) -> list[str]:
    """The folder of a control group and those of all above it, up to its mount point."""
    parts = [part for part in path.split("/") if part and part != ".."]
    return [os.path.join(mount, *parts[:length]) for length in range(len(parts), -1, -1)]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, ValueError):  # a NUL in the path is a ValueError
        return ""
