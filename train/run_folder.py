"""The run folder: writes and reads the files of a training run."""

import csv
import dataclasses
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from batch_infer.errors import ModelError, OutputError, UsageError
from batch_infer.outputs.atomic import output_errors, write_atomically
from batch_infer.strict_json import parse_json
from train.checkpoint import check_tensors, load_checkpoint
from train.fitting.loop import Epoch, TrainingState
from train.model.softmax import SoftmaxRegression

WEIGHTS: Final = "mnist-logistic.pth"
CONFIG: Final = "config.json"
HISTORY: Final = "history.csv"
METRICS: Final = "metrics.json"
CONFUSION: Final = "confusion.csv"
LAST: Final = "last.pt"
LATEST: Final = Path("runs/latest")
_MAX_JSON_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training run; every file in it is replaced atomically.

    Raises:
        OutputError: a file cannot be written.
    """

    path: Path

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Create the folder.

        Raises:
            UsageError: there is a run in it already.
        """
        if (path / CONFIG).exists():
            raise UsageError(f"{path}: there is a run in it already; choose another --out, or continue it: --resume")
        with output_errors(str(path)):
            path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    def point_latest_here(self) -> None:
        """Make the link `latest` beside the folder point to it."""
        link = self.path.parent / LATEST.name
        if link.exists() and not link.is_symlink():
            raise OutputError(f"{link}: is not a link; it should point to the newest run; move it away")
        temporary = link.with_name(f".latest-{os.getpid()}")
        with output_errors(str(link)):
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(self.path.name)
            temporary.replace(link)

    def write(self, name: str, content: bytes) -> None:
        """Write one file."""
        write_atomically(str(self.path / name), content)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write one JSON file."""
        self.write(name, json.dumps(content, indent=1).encode() + b"\n")

    def write_state(self, state: TrainingState) -> None:
        """Write the state that `--resume` continues from, and what is derived from it: history and best weights."""
        self.write(LAST, _torch_bytes(state.to_dict()))
        self.write(HISTORY, _history_csv(state.history))
        self.write(WEIGHTS, _torch_bytes({f"linear.{name}": tensor.cpu() for name, tensor in state.best.items()}))

    def write_weights(self, model: SoftmaxRegression) -> None:
        """Write the weights of a finished model."""
        self.write(WEIGHTS, _torch_bytes({name: tensor.cpu() for name, tensor in model.state_dict().items()}))

    def read_state(self, expected: Mapping[str, torch.Tensor]) -> TrainingState | None:
        """Read what to continue from; None if no epoch was finished.

        Args:
            expected: the linear layer's state_dict, for names, shapes and dtypes.

        Raises:
            ModelError: the file is damaged, or belongs to another model.
        """
        path = self.path / LAST
        if not path.exists():
            return None
        content = load_checkpoint(path)
        try:
            state = TrainingState.from_dict(content)
        except ValueError as error:
            raise ModelError(f"{path}: not what `train run` wrote ({error}); start a new run") from error
        check_tensors(state.linear, expected, str(path))
        check_tensors(state.best, expected, str(path))
        return state

    def read_config(self) -> dict[str, Any]:
        """Read config.json.

        Raises:
            ModelError: it is missing or damaged.
        """
        content = self.read_json(CONFIG)
        if not isinstance(content.get("recipe"), str):
            keys = ", ".join(map(str, content))[:60] or "nothing"
            raise ModelError(
                f"{self.path / CONFIG}: names no recipe (found: {keys}); expected a folder that `train run` wrote"
            )
        if not isinstance(content.get("data"), str | None):
            raise ModelError(f"{self.path / CONFIG}: data is {str(content['data'])[:40]}; expected a name or null")
        return content

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one JSON file.

        Raises:
            ModelError: it is missing or damaged.
        """
        path = self.path / name
        try:
            if self.path.is_file():
                raise ModelError(f"{self.path}: a file; expected a folder that `train run` wrote")
            if not path.exists():
                raise ModelError(f"{self.path}: no finished training run there ({name} is missing); type: train run")
            if not path.is_file() or path.stat().st_size > _MAX_JSON_BYTES:
                raise ModelError(f"{path}: expected a file of {_MAX_JSON_BYTES >> 20} MB at most; train again")
            content = parse_json(path.read_bytes())
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ModelError(f"{path}: cannot be read: {error}; train again") from error
        if not isinstance(content, dict):
            raise ModelError(f"{path}: expected a JSON object; train again")
        return content


def load_run(path: str | os.PathLike[str] = LATEST) -> SoftmaxRegression:
    """Load the trained model of a run folder.

    Args:
        path: the folder.

    Raises:
        ModelError: no run there, or its checkpoint is damaged: wrong keys, shapes or dtypes, or weights not finite.
    """
    folder = RunFolder(Path(path))
    try:
        model = SoftmaxRegression(folder.read_config()["recipe"])
    except UsageError as error:
        raise ModelError(f"{folder.path / CONFIG}: {error}") from error
    checkpoint = folder.path / WEIGHTS
    content = load_checkpoint(checkpoint)
    check_tensors(content, model.state_dict(), str(checkpoint))
    model.load_state_dict(content)
    return model.eval()


def _torch_bytes(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _history_csv(history: list[Epoch]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(epoch) for epoch in history)
    return text.getvalue().encode()
