"""Settles, once per run, which files of many images are stored transposed; workers look at them."""

from batch_infer.errors import UsageError
from batch_infer.inference.orientation import sample_of
from batch_infer.inference.workers.pool import InProcess, Workers
from batch_infer.inputs.inventory import Inventory
from batch_infer.job.notices import Notices
from batch_infer.paths import escape_path

ORIENTATIONS = ("auto", "upright", "transposed")


def check_orientation(orientation: str) -> None:
    """Check the option.

    Raises:
        UsageError: it is unknown.
    """
    if orientation not in ORIENTATIONS:
        raise UsageError(f"--orientation {orientation}: expected auto, upright or transposed")


def orient(inventory: Inventory, orientation: str, pool: InProcess | Workers, notices: Notices) -> None:
    """Decide for each file of many images whether it is to be turned; a notice where it is, or where it is in doubt.

    Raises:
        InputLostError: a file was changed during the run, or cannot be read any more.
    """
    entries = [entry for entry in inventory.array_inputs if entry.images is not None]
    if orientation != "auto":
        for entry in entries:
            entry.turned = orientation == "transposed"
        return
    entries = [entry for entry in entries if entry.images is not None and entry.images.sample_places.size]
    samples = (sample_of(entry.images) for entry in entries if entry.images is not None)
    for entry, result in zip(entries, pool.map(samples), strict=True):
        if result.orientation is None:
            continue
        entry.turned = result.orientation.transposed
        name = escape_path(entry.path)
        if entry.turned:
            notices.add(
                f"{name}: its images are stored transposed, as EMNIST's, and were turned upright; "
                "if that is wrong: --orientation upright"
            )
        elif result.orientation.doubtful:
            notices.add(
                f"{name}: its images may be stored transposed, as EMNIST's; they were not turned; "
                "if they are: --orientation transposed"
            )
