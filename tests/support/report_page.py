"""A report for people as a browser's parser sees it: texts, elements, pictures."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|[0-9.]+ s, [0-9,]+ images per second")


class ReportPage(HTMLParser):
    """A parsed page.

    Attributes:
        tags: number of elements by name.
        texts: the texts outside style sheets and scripts, without blank ones.
        attributes: all attributes, as (element, name, value).
        styles: the style sheets.
        cards: of each row to review, its texts and its pictures (`seen`, `original`).
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: Counter[str] = Counter()
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.styles = ""
        self.cards: list[list[str]] = []
        self._inside = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags[tag] += 1
        self._inside = tag
        self.attributes += [(tag, *attribute) for attribute in attrs]
        classes = (dict(attrs).get("class") or "").split()
        if "card" in classes:
            self.cards.append([])
        if self.cards and "s" in classes:
            self.cards[-1].append("seen")
        if self.cards and tag == "img":
            self.cards[-1].append("original")

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._inside = ""
        if tag == "section":
            self.cards.append([])

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._inside == "style":
            self.styles += data
        elif self._inside != "script" and data.strip():
            self.texts.append(data.strip())
            if self.cards:
                self.cards[-1].append(data.strip())

    @property
    def lasting(self) -> str:
        """The page without what changes from run to run: times."""
        return _TIME.sub("", self.source)
