"""In which order the tests run, where several processes share them."""

import pytest


def in_order(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """Put first what takes long, then what is slow, then the rest; of each, the tests of a file stay together.

    With `--dist worksteal` each process begins with an equal share, in order, and takes from the end of another's when
    it has nothing left. So each share has its part of what takes long, and what is quick is left for the end.

    Args:
        items: the tests as collected.
        processes: among which they are shared; with one the order stays as it is.
    """
    if processes == 1:
        return items
    shares: list[list[pytest.Item]] = [[] for _ in range(processes)]
    quick = []
    for long in (True, False):
        files: dict[object, list[pytest.Item]] = {}
        for item in items:
            if not item.get_closest_marker("slow"):
                quick += [] if long else [item]
            elif bool(item.get_closest_marker("long")) == long:
                files.setdefault(item.path, []).append(item)
        for tests in sorted(files.values(), key=len, reverse=True):
            min(shares, key=len).extend(tests)
    ordered: list[pytest.Item] = []
    for number, share in enumerate(shares):  # each as long as the one that pytest-xdist will cut off
        missing = max(0, (len(items) - len(ordered)) // (processes - number) - len(share))
        ordered += share + quick[:missing]
        del quick[:missing]
    return ordered
