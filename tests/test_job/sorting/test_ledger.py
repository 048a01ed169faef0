"""The list of what is ours: a damaged or a forged one costs no file of anybody."""

import random
import sqlite3

import pytest
from support.sorting import content_of, lay

from batch_infer.errors import OutputError


@pytest.fixture
def made(pngs, into):
    """A folder with copies of 60 pictures, and its list."""
    root = pngs(*(f"{number}.png" for number in range(60)))
    lay([root], "3 " * 60, into, "copy")
    (into / "3" / "mine.png").write_bytes(b"mine")
    return root, into / ".batch-infer-sorted" / "list"


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_end_it_with_one_line_at_most_and_the_next_run_goes_on(made, into, seed):
    root, path = made
    rng, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 20, 400])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    messages = []
    for _ in range(3):
        try:
            lay([root], "4 " * 60, into, "copy")
            break
        except OutputError as error:
            messages.append(str(error))
    assert all("the list of sorted files is damaged (" in message for message in messages)
    found = content_of(into)
    assert found["3/mine.png"] == b"mine"
    for number in range(60):
        assert (root / f"{number}.png").read_bytes() in [found[name] for name in found if name.startswith("4/")]


@pytest.mark.parametrize(
    "name", ["../outside.png", "3/../../outside.png", "/tmp/x.png", "3/", "3", "11/a.png", "3/..", 5]
)
def test_a_forged_entry_leads_nowhere(made, into, name):
    root, path = made
    outside = into.parent / "outside.png"
    outside.write_bytes(b"x")
    status = outside.stat()
    with sqlite3.connect(path) as database:
        entry = (name if isinstance(name, int) else name.encode(), b"/gone", -1, 1, status.st_mtime_ns)
        database.execute("INSERT INTO placed (name, path, position, size, mtime) VALUES (?, ?, ?, ?, ?)", entry)
    database.close()
    with pytest.raises(OutputError, match="damaged"):
        lay([root], "3 " * 60, into, "copy")
    assert outside.read_bytes() == b"x"
    lay([root], "3 " * 60, into, "copy")
    assert sorted(content_of(into)) == sorted({"3/mine.png", *(name for name in content_of(into) if name[0] == "3")})


def test_a_list_that_another_program_has_open_is_named(made, into):
    root, path = made
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(OutputError) as caught:
            lay([root], "3 " * 60, into, "copy")
    finally:
        other.close()
    assert str(caught.value) == f"{path}: another program has it open; close that, or wait"
