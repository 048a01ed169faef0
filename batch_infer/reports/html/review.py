"""What a person should look at: mistakes, doubtful answers, and pictures without an answer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from batch_infer.reports.html.content import ReportContent, ReportRow
from batch_infer.reports.html.pictures import Pictures

MAX_ANSWERS: Final = 200  # mistakes and doubtful answers together; half each, if there are as many of both
MAX_REFUSED: Final = 48
OPEN: Final = 12  # so many of a group are shown at once, the others when it is opened


@dataclass(frozen=True)
class Card:
    """One row with its pictures.

    Attributes:
        path: as in the predictions.
        index: as in the predictions; None if it is empty there.
        prediction: 0 to 9, or None.
        label: 0 to 9, or None.
        error: a code, or empty.
        top: (class, probability) of the most probable, most probable first.
        original: a data URI, or None.
        seen: class names, or None.
    """

    path: str
    index: int | None
    prediction: int | None
    label: int | None
    error: str
    top: tuple[tuple[int, float], ...]
    original: str | None
    seen: str | None


@dataclass(frozen=True)
class Group:
    """Cards of one kind: those shown at once, and those that are shown when the group is opened."""

    name: str
    text: str
    first: tuple[Card, ...]
    more: tuple[Card, ...]


@dataclass(frozen=True)
class Review:
    """All groups that have cards; how many cards there are, and how many of them lack what the model saw."""

    groups: tuple[Group, ...]
    cards: int
    unseen: int


def card(row: ReportRow, pictures: Pictures) -> Card:
    """Make the card of a row."""
    return Card(
        row.path,
        row.index,
        row.prediction,
        row.label,
        row.error,
        row.top[:3],
        pictures.original(row.original),
        pictures.seen(row.seen),
    )


def review(content: ReportContent, pictures: Pictures) -> Review:
    """Sort the rows into groups; each row is shown once, so that it cannot get two labels."""
    answers = list(_once(content.review))
    mistakes = [row for row in answers if row.label not in (None, row.prediction)]
    doubtful = [row for row in answers if row.label in (None, row.prediction)]
    mistakes = mistakes[: MAX_ANSWERS - min(len(doubtful), MAX_ANSWERS // 2)]
    doubtful = doubtful[: MAX_ANSWERS - len(mistakes)]
    refused = list(_once(content.refused))[:MAX_REFUSED]
    several = [row for row in refused if row.error == "several_digits"]
    none = [row for row in refused if row.error != "several_digits"]
    kinds = (
        (
            "Most confident mistakes",
            "The model is sure, and the label says otherwise. One of the two is wrong.",
            mistakes,
        ),
        ("Least confident answers", "The model is least sure of these.", doubtful),
        ("Several digits", "More than one digit was found, so there is no answer. Cut them apart.", several),
        ("No digit", "Nothing that looks like a digit was found, so there is no answer.", none),
    )
    groups = tuple(_group(name, text, found, pictures) for name, text, found in kinds if found)
    unseen = sum(row.seen is None for row in (*mistakes, *doubtful)) if content.pictures else 0
    return Review(groups, len(mistakes) + len(doubtful) + len(refused), unseen)


def _group(name: str, text: str, rows: list[ReportRow], pictures: Pictures) -> Group:
    cards = tuple(card(row, pictures) for row in rows)
    return Group(name, text, cards[:OPEN], cards[OPEN:])


def _once(rows: Iterable[ReportRow]) -> Iterator[ReportRow]:
    known: set[tuple[str, int | None]] = set()
    for row in rows:
        if (row.path, row.index) not in known:
            known.add((row.path, row.index))
            yield row
