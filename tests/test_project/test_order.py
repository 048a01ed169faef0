"""Processes that share the tests each begin with what takes long, and end with what is quick."""

from dataclasses import dataclass

import pytest
from support.order import in_order


@dataclass(frozen=True)
class Item:
    path: str
    number: int
    marks: tuple[str, ...]

    def get_closest_marker(self, name):
        return name if name in self.marks else None


ITEMS = [
    *(Item("a", number, ("slow", "long") if number == 7 else ("slow",)) for number in range(9)),
    *(Item("b", number, ("slow",) if number % 5 == 0 else ()) for number in range(20)),
    *(Item("c", number, ("slow", "long") if number == 2 else ()) for number in range(3)),
]


def test_in_one_process_the_order_stays():
    assert in_order(ITEMS, 1) is ITEMS


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_each_share_goes_from_long_to_quick(processes):
    ordered = in_order(ITEMS, processes)
    assert len(ordered) == len(ITEMS) == len(set(ordered))
    rest, first = len(ordered), 0
    for left in range(processes, 0, -1):  # as pytest-xdist cuts it
        share = ordered[first : first + rest // left]
        first, rest = first + len(share), rest - len(share)
        assert [len(item.marks) for item in share] == sorted((len(item.marks) for item in share), reverse=True)
    assert (first, rest) == (len(ITEMS), 0)


def test_a_part_of_the_tests_is_all_there():
    slow = [item for item in ITEMS if item.marks]
    assert sorted(in_order(slow, 3), key=ITEMS.index) == slow
