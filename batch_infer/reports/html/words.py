"""Numbers and texts of the page in words for people."""

import math
from typing import Any, Final

import markupsafe

from batch_infer.contract import ERROR, LOW_CONFIDENCE, OK
from batch_infer.paths import escape_unsafe

STATUS_MEANINGS: Final = {
    OK: "classified",
    LOW_CONFIDENCE: "classified, below --min-confidence",
    ERROR: "no answer",
}
EXIT_MEANINGS: Final = {
    0: "Finished and complete: every input was classified.",
    3: "Finished and complete, but some inputs could not be read: they are rows with status=error.",
    8: "Finished, but a quality gate failed.",
}
TOLERATED: Final = "Finished and complete: no more inputs failed than --max-errors allows."  # exit code 0 with errors
OTHER_EXIT: Final = "Not finished as it should be: see the exit codes in batch_infer/README.md."


def count(number: int) -> str:
    """A whole number with its thousands set apart: `10,000`."""
    return f"{number:,}"


def power(number: int) -> str:
    """A power of ten for the mark of an axis: `100`, `10k`, `1M`."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number // size}{unit}"
    return str(number)


def several(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 row`, `2,000 rows`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float | None) -> str:
    """A share as `98.43%`; what is not quite all or nothing is not rounded to it; `–` where there is none."""
    if share is None or math.isnan(share):
        return "–"
    text = f"{share:.2%}"
    if text == "100.00%" and share < 1:
        return ">99.99%"
    return "<0.01%" if text == "0.00%" and share > 0 else text


def shortened(text: str, most: int) -> str:
    """The end of a text that is too long for its place, as it is the end that tells paths apart."""
    return text if len(text) <= most else "…" + text[1 - most :]


def visible(value: Any) -> Any:
    """What is about to be written; in a text, control and bidi characters are percent-escaped, as in paths."""
    return escape_unsafe(value) if isinstance(value, str) and not isinstance(value, markupsafe.Markup) else value


def duration(seconds: float) -> str:
    """A time span: `0.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(timestamp: str) -> str:
    """A time of `run.json`, `2026-11-27T03:00:12.345Z`, as `2026-11-27 03:00:12 UTC`; another text as it is."""
    date, separator, time = timestamp.partition("T")
    return f"{date} {time.partition('.')[0].rstrip('Z')} UTC" if separator else timestamp
