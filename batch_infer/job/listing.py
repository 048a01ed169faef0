"""What a run is to classify: its inputs with their labels, and what there is to say if there are none."""

from batch_infer.errors import NOTHING_PUBLISHED, STAYS, NoInputError
from batch_infer.inputs.discover import discover
from batch_infer.inputs.inventory import Inventory
from batch_infer.inputs.labels.attach import attach_labels
from batch_infer.inputs.skipped import describe_skipped
from batch_infer.job.gates import Gates
from batch_infer.job.notices import Notices
from batch_infer.paths import escape_path


def list_inputs(paths: list[str], labels: str, gates: Gates, notices: Notices) -> Inventory:
    """List the inputs, and attach their labels.

    Raises:
        NoInputError: there are none.
        UsageError: an INPUT is missing, or labels do not fit.
    """
    inventory = discover(paths)
    if not paths:
        raise NoInputError(f"no INPUT: the list of names (--files-from) is empty; {NOTHING_PUBLISHED}")
    if not inventory.total:
        raise NoInputError(_nothing_found(inventory, paths))
    attach_labels(inventory, labels, notices.add)
    gates.require_labels(labelled=inventory.labelled)
    for root in inventory.roots:
        if not root.groups:
            notices.add(f"{escape_path(root.path)}: no image found in this INPUT; is the disk mounted?")
    if inventory.skipped.idx_files:
        notices.add(name_idx_files(inventory.skipped.idx_files))
    return inventory


def _nothing_found(inventory: Inventory, paths: list[str]) -> str:
    where = ", ".join(escape_path(path) for path in paths[:3]) + ", …" * (len(paths) > 3)
    skipped = describe_skipped(inventory.skipped)
    if inventory.skipped.idx_files:
        return f"no image found in {where}; {name_idx_files(inventory.skipped.idx_files)}"
    # With files in it, the disk is there.
    return f"no image found in {where} (skipped: {skipped or 'nothing'}); {NOTHING_PUBLISHED if skipped else STAYS}"


def name_idx_files(paths: list[str]) -> str:
    """Say that IDX files in folders are not read, and how they are."""
    them = "an IDX file in a folder is" if len(paths) == 1 else f"{len(paths):,} IDX files in folders are"
    return f"{them} not read; to classify the images of one, name it as an INPUT: {escape_path(paths[0])}"
