"""The parity gate: compares the logits of the exported file and of the PyTorch model on real images and edge cases."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from batch_infer import OnnxClassifier
from batch_infer.contract import IMAGE_SIZE, MODEL_BATCH
from batch_infer.errors import GateError
from batch_infer.self_test import self_test_images
from train.model.softmax import SoftmaxRegression

BATCH_SIZES: Final = (1, 2, 7, MODEL_BATCH)
References = dict[int, npt.NDArray[np.float64]]
NUM_WORST: Final = 10  # images that the error message names


@dataclass(frozen=True)
class Comparison:
    """Exported against reference logits, with one batch size and optimization setting.

    Attributes:
        batch: images per call.
        optimized: whether ONNX Runtime's graph optimizations are on.
        differences: `(N,)` float64, largest |Δ logit| of each image.
        tolerances: `(N,)` float64, the largest one allowed for each image.
        changed: `(N,)` bool, whether the predicted class differs although the two best logits are farther apart than
            the tolerance.
    """

    batch: int
    optimized: bool
    differences: npt.NDArray[np.float64]
    tolerances: npt.NDArray[np.float64]
    changed: npt.NDArray[np.bool_]

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """`(N,)` bool, which images are outside the tolerance (NaN counts as outside)."""
        return ~(self.differences <= self.tolerances) | self.changed


@dataclass(frozen=True)
class Parity:
    """Result of the parity gate: one comparison for each batch size and optimization setting."""

    comparisons: list[Comparison]
    atol: float
    rtol: float

    @property
    def images(self) -> int:
        """Number of images compared."""
        return len(self.comparisons[0].differences)

    @property
    def passed(self) -> bool:
        """Whether every image is within the tolerance in every comparison."""
        return not any(comparison.failed.any() for comparison in self.comparisons)

    @property
    def max_difference(self) -> float:
        """The largest |Δ logit|."""
        return float(max(comparison.differences.max() for comparison in self.comparisons))

    def summary_line(self) -> str:
        """The result in one line."""
        return (
            f"{'✓' if self.passed else '✗'} logits: max |Δ| {self.max_difference:.1e} "
            f"(atol {self.atol:g}, rtol {self.rtol:g}) over {self.images:,} images, "
            f"batches of {', '.join(map(str, BATCH_SIZES))}, optimized and not"
        )

    def report_rows(self) -> list[dict[str, Any]]:
        """Rows of the report CSV: one for each comparison, with its worst image."""
        rows = []
        for comparison in self.comparisons:
            excess = comparison.differences - comparison.tolerances
            worst = int(np.argmax(np.where(np.isfinite(excess), excess, np.inf)))
            rows.append(
                {
                    "batch": comparison.batch,
                    "optimized": comparison.optimized,
                    "images": len(comparison.differences),
                    "failed": int(comparison.failed.sum()),
                    "changed_classes": int(comparison.changed.sum()),
                    "max_difference": float(comparison.differences.max()),
                    "worst_image": worst,
                    "worst_difference": float(comparison.differences[worst]),
                    "worst_slack": float(comparison.tolerances[worst]),
                }
            )
        return rows

    def raise_if_failed(self, test_images: int) -> None:
        """Raise if the gate failed.

        Args:
            test_images: number of images that come before the edge images; only for the message.

        Raises:
            GateError: some image is outside the tolerance; the message names the worst ones.
        """
        if self.passed:
            return
        failed = np.any([comparison.failed for comparison in self.comparisons], axis=0)
        worst = np.max([comparison.differences for comparison in self.comparisons], axis=0)
        order = [row for row in np.argsort(-np.nan_to_num(worst, nan=np.inf), kind="stable") if failed[row]][:NUM_WORST]
        named = ", ".join(
            f"{'test' if row < test_images else 'edge'} image {row if row < test_images else row - test_images} "
            f"(|Δ| {worst[row]:.1e})"
            for row in order
        )
        raise GateError(
            f"{self.summary_line()}: {failed.sum():,} images differ; nothing was written; the worst: {named}"
        )


def edge_images(seed: int = 0) -> npt.NDArray[np.uint8]:
    """Make images unlike real data: blank, full, one pixel, one line, patterns, noise → `(24, 28, 28)` uint8."""
    size, last = IMAGE_SIZE, IMAGE_SIZE - 1
    images = np.zeros((24, size, size), np.uint8)
    images[0:3] = self_test_images()
    for number, (row, column) in enumerate([(0, 0), (0, last), (last, 0), (last, last), (14, 14)]):
        images[3 + number, row, column] = 255
    images[8, 14, 14] = 1
    images[9, 13] = 255
    images[10, :, 13] = 255
    images[11, 0, 0] = images[11, last, last] = 255
    images[12], images[13] = np.eye(size) * 255, np.eye(size)[::-1] * 255
    images[14, ::2], images[15, :, ::2] = 255, 255
    images[16, ::2, ::2] = 255
    images[17] = 1
    images[18] = np.linspace(0, 255, size)
    images[19] = images[18].T
    images[20:] = np.random.default_rng(seed).integers(0, 256, (4, size, size))
    return images


def reference_logits(model: SoftmaxRegression, images: npt.NDArray[np.uint8]) -> References:
    """Run images `(N, 28, 28)` uint8 through the PyTorch model → logits `(N, 10)` float64, by batch size."""
    with torch.inference_mode(), _one_thread():
        tensor = torch.from_numpy(images)
        return {
            batch: torch.cat([model(part) for part in tensor.split(batch)]).double().numpy() for batch in BATCH_SIZES
        }


def check_parity(
    references: References, exported: bytes, name: str, images: npt.NDArray[np.uint8], *, atol: float, rtol: float
) -> Parity:
    """Run images through the exported file, with each batch size and with optimizations on and off, and compare.

    The tolerance of an image is `atol + rtol · max|reference logits of that image|`: a logit near zero is a sum of
    terms as large as those of the others, and has the same rounding error.

    Args:
        references: result of `reference_logits` for the images.
        exported: the bytes of the file.
        name: name of the file in messages.
        images: `(N, 28, 28)` uint8.
        atol: absolute tolerance.
        rtol: relative tolerance.
    """
    comparisons = []
    for batch, reference in references.items():
        tolerances = atol + rtol * np.abs(reference).max(axis=1)
        best = np.sort(reference, axis=1)
        clear = best[:, -1] - best[:, -2] > tolerances
        for optimized in (True, False):
            logits = OnnxClassifier(name, model_bytes=exported, optimize=optimized).logits(images, batch=batch)
            changed = (logits.argmax(axis=1) != reference.argmax(axis=1)) & clear
            differences = np.abs(logits - reference).max(axis=1)
            comparisons.append(Comparison(batch, optimized, differences, tolerances, changed))
    return Parity(comparisons, atol, rtol)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread: with one image per call, starting threads takes longer than computing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
