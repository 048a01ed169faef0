"""What must be the same when a run is continued: its images, and how often one's own pictures are repeated."""

from typing import Any, Final

from batch_infer.errors import ModelError, UsageError
from train.fitting.repeats import Choice
from train.run_folder import CONFIG, RunFolder
from train.typed import build

_IMAGES: Final = {"train_sha256": "--data", "test_sha256": "--data", "added": "--add"}


def check_unchanged(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Check that a run is continued with the images that it began with.

    Args:
        before: content of config.json.
        now: the same, of the images as they are now.

    Raises:
        UsageError: they are others.
    """
    for key, option in _IMAGES.items():
        if _hash_of(before.get(key)) != _hash_of(now.get(key)):
            raise UsageError(f"{option}: the pictures are not those that the run began with; start a new run")


def read_choice(content: Any, folder: RunFolder) -> Choice:
    """Read what was chosen when the run began.

    Raises:
        ModelError: it is damaged.
    """
    try:
        return build(Choice, content)
    except ValueError as error:
        raise ModelError(f"{folder.path / CONFIG}: repetition: {error}; start a new run") from error


def _hash_of(content: Any) -> Any:
    return content.get("sha256", content) if isinstance(content, dict) else content
