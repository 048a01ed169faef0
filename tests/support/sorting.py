"""What --sort-into does once the rows are known: inputs are laid into folders that the caller chooses."""

import os
from collections.abc import Iterable
from pathlib import Path

from batch_infer.inference.folders import FOLDERS, NOWHERE
from batch_infer.inputs.discover import discover
from batch_infer.job.notices import Notices
from batch_infer.job.sorting.sort_into import SortInto
from batch_infer.job.summary import Findings


def lay(inputs: Iterable[Path], folders: str, into: Path, way: str = "symlink") -> list[str]:
    """Lay inputs into a folder → the notices.

    Args:
        inputs: the INPUTs.
        folders: that of each row, with blanks between; `-` for a row that has none.
        into: the folder.
        way: as --sort-by.
    """
    paths = list(map(os.fspath, inputs))
    notices = Notices(None)
    inventory = discover(paths)
    rows = bytes(NOWHERE if name == "-" else FOLDERS.index(name) for name in folders.split())
    assert len(rows) == inventory.total
    with SortInto(os.fspath(into), way, inputs=paths, outputs=()) as sorting:
        sorting.claim(notices)
        sorting.add(rows)
        summary = Findings(paths, None, notices).conclude(0)
        sorting.lay_out(inventory, summary, notices, lambda _: None)
    return notices.texts


def content_of(into: Path) -> dict[str, bytes | str]:
    """The files in a folder but for what is kept about them: the target of a link, the bytes of others."""
    found: dict[str, bytes | str] = {}
    for path in sorted(into.rglob("*")):
        name = str(path.relative_to(into))
        if not name.startswith(".batch-infer-sorted") and not (path.is_dir() and not path.is_symlink()):
            found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return found
