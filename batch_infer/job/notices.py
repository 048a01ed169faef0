"""Notices: what a person should know about a successful run, printed once and not again every night."""

import contextlib
import logging
import os
import stat
from typing import Final

from batch_infer.strict_json import parse_json

log = logging.getLogger("batch_infer")

_MAX_RUN_JSON: Final = 16 << 20  # bytes of a run.json


class Notices:
    """The notices of a run, in the order in which they arose.

    A notice that the last run.json also has is logged as information (`--verbose`, a terminal), a new one as a
    warning, so that cron sends mail only for news. A text must therefore not contain anything that changes from
    night to night.

    Attributes:
        texts: the notices.
    """

    def __init__(self, run_json: str | None) -> None:
        """Start empty.

        Args:
            run_json: path of the last run's run.json; None if runs write none.
        """
        self.texts: list[str] = []
        self._known = frozenset() if run_json is None else _read_notices(run_json)

    def add(self, text: str) -> None:
        """Add a notice, and log it."""
        if text not in self.texts:
            self.texts.append(text)
            log.log(logging.INFO if text in self._known else logging.WARNING, "%s", text)


def _read_notices(path: str) -> frozenset[str]:
    """Read the notices of a run.json; none if it is missing, damaged or not ours."""
    with contextlib.suppress(OSError, ValueError):
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size <= _MAX_RUN_JSON:
            with open(path, "rb") as file:
                content = parse_json(file.read())
            notices = content.get("notices") if isinstance(content, dict) else None
            if isinstance(notices, list):
                return frozenset(text for text in notices if isinstance(text, str))
    return frozenset()
