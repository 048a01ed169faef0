"""What a report shows, made of real pictures by the real decoder, normalization and model."""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import CLASSES, ERROR_CODES, MILLION, STATUSES, UNKNOWN
from batch_infer.decoding.decode import decode
from batch_infer.errors import ImageError
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.normalization.pipeline import normalize
from batch_infer.paths import escape_path
from batch_infer.predictions import error_number, quantize
from batch_infer.reports.history import PastRun
from batch_infer.reports.html.content import ErrorGroup, ReportContent, ReportRow
from batch_infer.reports.metrics import tally
from support.helpers import MNIST, ROOT

GOLDEN = ROOT / "tests" / "golden"
SIDE = 96
LOW_PPM = 700_000
RUN = {
    "started": "2026-11-27T03:00:02.120Z",
    "ended": "2026-11-27T03:00:31.870Z",
    "exit_code": 0,
    "published": True,
    "error": None,
    "inputs": ["/srv/scans"],
    "predictions": "/srv/out/preds.csv",
    "skipped": {},
    "skipped_suffixes": {},
    "images_per_second": 2310.4,
    "gates_failed": [],
    "notices": [],
    "model": {"path": "mnist-logistic.onnx", "sha256": "157ba6a2" * 8, "recipe": "strokes"},
    "versions": {"mnist-logistic": "0.1.0", "python": "3.11.2", "numpy": "2.4.6", "pyarrow": None},
}
CARD = (("trained on", "50,000 images of MNIST"), ("accuracy on its test images", "99.54%"))


def mnist_content(count: int = 3000, *, labelled: bool = True, noise: float = 70.0) -> ReportContent:
    """A report of the first MNIST training digits, half of them with noise, as an IDX file."""
    images = IdxImages(str(MNIST / "train-images-idx3-ubyte.gz")).read_all()[:count].copy()
    labels = read_labels(str(MNIST / "train-labels-idx1-ubyte.gz"), 60_000)[:count].astype(np.int8)
    drawn = np.random.default_rng(0).normal(0, noise, images[::2].shape)
    images[::2] = np.clip(images[::2] + drawn, 0, 255).astype(np.uint8)
    if not labelled:
        labels = np.full(count, UNKNOWN, np.int8)
    paths = ["/srv/scans/train-images-idx3-ubyte.gz"] * count
    return content(paths, images, labels, indexed=True, originals=[_jpeg(image) for image in images[:400]])


def golden_content(step: int = 1, *, labelled: bool = True, names: Sequence[str] = ()) -> ReportContent:
    """A report of every so many of the golden pictures, of all kinds, the first with other names; some are refused."""
    files = sorted(path for path in GOLDEN.glob("*/*") if path.suffix != ".txt" and "expected" not in path.name)[::step]
    seen, labels, originals, codes = [], [], [], []
    for path in files:
        grey = decode(path.read_bytes()).grey
        code, image = "", None
        try:
            image = normalize(grey)
            code = "no_digit" if image is None else ""
        except ImageError as error:
            code = error.code
        seen.append(np.zeros((28, 28), np.uint8) if image is None else image)
        codes.append(code)
        labels.append(int(path.name[0]) if labelled and path.name[0].isdigit() else UNKNOWN)
        originals.append(_jpeg(grey))
    paths = [f"/srv/scans/{path.parent.name}/{path.name}" for path in files]
    paths[: len(names)] = [escape_path(name) for name in names]
    return content(paths, np.array(seen), np.array(labels, np.int8), codes=codes, originals=originals)


def content(
    paths: list[str],
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int8],
    *,
    codes: Sequence[str] = (),
    originals: Sequence[bytes] = (),
    indexed: bool = False,
) -> ReportContent:
    """Classify images and gather what a report shows of them.

    Args:
        paths: `n` of them, escaped.
        images: `(n, 28, 28)` uint8 in MNIST's format.
        labels: `(n,)` 0 to 9, or -1.
        codes: `n` error codes, empty where there is none; or none at all.
        originals: JPEGs of the first rows.
        indexed: whether rows have an index.
    """
    count = len(paths)
    codes = codes or [""] * count
    ppm = quantize(OnnxClassifier().predict_proba(images))
    numbers = np.array([error_number(code) if code else 0 for code in codes], np.uint8)
    predictions = np.where(numbers == 0, ppm.argmax(axis=1), UNKNOWN).astype(np.int8)
    statuses = np.where(numbers > 0, 2, ppm.max(axis=1) < LOW_PPM).astype(np.uint8)
    rows = [
        ReportRow(
            paths[row],
            row if indexed else None,
            None if codes[row] else int(predictions[row]),
            None if codes[row] else float(ppm[row].max() / MILLION),
            None if labels[row] == UNKNOWN else int(labels[row]),
            codes[row],
            ()
            if codes[row]
            else tuple((int(k), ppm[row, k] / MILLION) for k in np.argsort(-ppm[row], kind="stable")[:3]),
            originals[row] if row < len(originals) else None,
            None if codes[row] else images[row].tobytes(),
        )
        for row in range(count)
    ]
    answered = [row for row in rows if not row.error]
    sure = sorted(answered, key=lambda row: -(row.confidence or 0))
    mistakes = [row for row in sure if row.label not in (None, row.prediction)]
    cells = {
        (label, prediction): found
        for label in range(CLASSES)
        for prediction in range(CLASSES)
        if (found := tuple(row for row in sure if (row.label, row.prediction) == (label, prediction))[:4])
    }
    counts = tally(
        labels=labels, predictions=predictions, probabilities_ppm=ppm, statuses=statuses, error_numbers=numbers
    )
    confidence = ppm.max(axis=1)[numbers == 0] / MILLION
    return ReportContent(
        run={**RUN, "rows": count, "exit_code": 3 if any(codes) else 0},
        card=CARD,
        errors=tuple(
            ErrorGroup(
                code, codes.count(code), tuple(p for p, c in zip(paths, codes, strict=True) if c == code)[:3], advice
            )
            for code, advice in (
                (
                    "several_digits",
                    "More than one digit stands in the picture; cut it into pictures of one digit each.",
                ),
                ("no_digit", "Nothing stands out of the background; scan it again, darker."),
            )
            if code in codes
        ),
        review=(*mistakes[:100], *[row for row in sure[::-1] if row not in mistakes][:60]),
        refused=tuple(row for row in rows if row.error)[:24],
        tally=counts,
        cells=cells,
        confidence_counts=tuple(np.histogram(confidence, 20, (0, 1))[0].tolist()),
    )


def errors_content(count: int = 3) -> ReportContent:
    """A report of a run in which no input could be read."""
    counts = tally(
        labels=np.full(count, UNKNOWN, np.int8),
        predictions=np.full(count, UNKNOWN, np.int8),
        probabilities_ppm=np.zeros((count, CLASSES), np.int32),
        statuses=np.full(count, STATUSES.index("error"), np.uint8),
        error_numbers=np.full(count, ERROR_CODES.index("truncated") + 1, np.uint8),
    )
    group = ErrorGroup(
        "truncated",
        count,
        ("/srv/scans/a.jpg", "/srv/scans/b.jpg"),
        "The file ends too early; copy or download it again.",
    )
    return ReportContent(run={**RUN, "rows": count, "exit_code": 3}, errors=(group,), tally=counts)


def past_run(finished: str, rows: int, errors: int, accuracy: float | None, mean_confidence: float) -> PastRun:
    """A run of the history, of what the report shows of it."""
    labelled = 0 if accuracy is None else 1_000_000
    statuses, correct = (rows - errors, 0, errors), round((accuracy or 0) * labelled)
    return PastRun(finished, 0, statuses, labelled, correct, mean_confidence, (0,) * 10, (0,) * 8, ("", "", ""))


def with_history(shown: ReportContent, runs: int = 30) -> ReportContent:
    """Add earlier runs, notices, skipped files and drift to a report."""
    chance = np.random.default_rng(1)
    accuracy = shown.tally.correct / shown.tally.labelled if shown.tally.labelled else None
    past = [
        past_run(
            f"2026-{10 + day // 30}-{1 + day % 30:02}T03:00:31.870Z",
            shown.tally.rows - int(chance.integers(100)),
            int(chance.integers(12)) + 2 * (day > runs - 4),
            None
            if accuracy is None or day in {4, 6}
            else accuracy - 0.004 * chance.random() - 0.006 * (day > runs - 3),
            0.97 - 0.01 * chance.random(),
        )
        for day in range(26, 26 + runs)
    ]
    run = {
        **shown.run,
        "notices": ["/srv/scans/2025: is empty; is its disk mounted?"],
        "skipped": {"hidden": 4, "other_suffix": 7},
        "skipped_suffixes": {".pdf": 4, ".svg": 2, "none": 1},
        "drift": {
            "classes": 0.012345,
            "confidence": 0.134567,
            "runs": 29,
            "rows": 87_000,
            "confidence_runs": 29,
            "confidence_rows": 87_000,
            "words": "predicted classes: no change (PSI 0.012 against 87,000 rows of 29 earlier runs); "
            "confidence: some change (PSI 0.135 against 87,000 rows of 29 earlier runs)",
        },
    }
    return replace(shown, run=run, history=tuple(past))


def _jpeg(grey: npt.NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(grey)
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    return file.getvalue()
