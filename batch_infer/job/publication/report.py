"""Makes the report for people of a run that is about to be published."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from batch_infer.contract import ERROR_CODES, MILLION, UNKNOWN
from batch_infer.inference.task import ModelInfo
from batch_infer.job.collector import Collector
from batch_infer.job.summary import Summary
from batch_infer.paths import escape_path
from batch_infer.reports.history import PastRun
from batch_infer.reports.html.advice import ADVICE
from batch_infer.reports.html.content import ErrorGroup, ReportContent, ReportRow
from batch_infer.reports.samples import DOUBTFUL, MAX_ORIGINALS, MISTAKE, REFUSED, Sample, Samples

_TOP: Final = 3  # classes that are named with their probabilities
_BINS: Final = 20  # of confidence
_MAX_TEXT: Final = 500  # characters of one entry of a model's card


def prepare_page() -> None:
    """Load what makes the report."""
    from batch_infer.reports.html.page import prepare  # late: it loads jinja2

    prepare()


def make_page(summary: Summary, runs: Sequence[PastRun], *, collector: Collector, pictures: bool) -> bytes:
    """Make the report.

    Args:
        summary: of the run.
        runs: the last runs of the same output, oldest first, with this one.
        collector: what it collected.
        pictures: whether pictures may be shown.
    """
    from batch_infer.reports.html.page import render  # late: it loads jinja2

    return render(make_content(summary, runs, collector=collector, pictures=pictures))


def make_content(summary: Summary, runs: Sequence[PastRun], *, collector: Collector, pictures: bool) -> ReportContent:
    """Gather what the report shows."""
    tally, samples = summary.tally, collector.samples
    counts = dict(zip(ERROR_CODES, tally.errors.tolist(), strict=True))
    errors = [
        ErrorGroup(code, counts[code], tuple(collector.error_paths.get(code, ())), ADVICE[code])
        for code in sorted(ERROR_CODES, key=lambda code: -counts[code])
        if counts[code]
    ]
    counted = tally.confidence.tolist()  # in twentieths, the last of which is divided further
    refused = [_row(sample) for kind in REFUSED.values() for sample in samples.of(kind)]
    return ReportContent(
        run=summary.content(),
        card=() if summary.model is None else tuple(_card(summary.model)),
        errors=tuple(errors),
        review=_review(samples, MAX_ORIGINALS - len(refused)),
        refused=tuple(refused),
        tally=tally,
        cells={
            divmod(cell, 10): tuple(replace(_row(sample), original=None) for sample in samples.of(cell))
            for cell in range(MISTAKE)
            if samples.of(cell)
        },
        confidence_counts=(*counted[: _BINS - 1], sum(counted[_BINS - 1 :])),
        history=tuple(runs),
        pictures=pictures,
    )


def _review(samples: Samples, originals: int) -> tuple[ReportRow, ...]:
    """The most confident mistakes, then the least confident answers; each with up to half of the originals, or more."""
    mistakes = samples.of(MISTAKE)
    shown = set(map(id, mistakes))
    doubtful = [sample for sample in samples.of(DOUBTFUL) if id(sample) not in shown]
    share = originals - min(len(doubtful), originals // 2)
    rows = [*_limit(mistakes, share), *_limit(doubtful, originals - min(len(mistakes), share))]
    return tuple(rows)


def _limit(samples: Iterable[Sample], originals: int) -> Iterable[ReportRow]:
    """The rows of samples; only the first ones keep their original."""
    for number, sample in enumerate(samples):
        row = _row(sample)
        yield row if number < originals else replace(row, original=None)


def _row(sample: Sample) -> ReportRow:
    answered = sample.prediction != UNKNOWN
    order = np.argsort(-np.array(sample.ppm), kind="stable")[:_TOP].tolist() if answered else []
    return ReportRow(
        sample.path,
        sample.index,
        sample.prediction if answered else None,
        sample.ppm[sample.prediction] / MILLION if answered else None,
        sample.label if sample.label != UNKNOWN else None,
        sample.error,
        tuple((digit, sample.ppm[digit] / MILLION) for digit in order),
        sample.original,
        sample.seen,
    )


def _card(model: ModelInfo) -> Iterable[tuple[str, str]]:
    """What a model's metadata say about it; they may be anybody's, so nothing is taken for granted."""
    train = model.metadata.get("train")
    train = train if isinstance(train, dict) else {}
    config = train.get("config")
    config = config if isinstance(config, dict) else {}
    found: list[tuple[str, Any]] = [
        ("file", model.path),
        ("SHA-256", model.sha256),
        ("recipe", model.metadata.get("recipe")),
        ("trained on", config.get("dataset")),
    ]
    accuracy = train.get("test_accuracy")
    if isinstance(accuracy, float):
        found.append(("accuracy on its test images", f"{accuracy:.2%}"))
    return ((name, escape_path(text[:_MAX_TEXT])) for name, text in found if isinstance(text, str))
