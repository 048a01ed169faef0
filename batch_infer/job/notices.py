"""What a person should know of a run that went well, said once: not again every night in the same words."""

import contextlib
import json
import logging
import os
import stat
from typing import Final

log = logging.getLogger("batch_infer")

_MAX_ACCOUNT: Final = 16 << 20  # bytes; of a run.json


class Notices:
    """The notices of a run, in the order in which they came up.

    One that the last run.json has, too, is logged as information (`--verbose`, a terminal), a new one as a warning, so
    that cron mail comes when there is news. A text must therefore say nothing that changes from night to night.

    Attributes:
        texts: the notices.
    """

    def __init__(self, account: str | None) -> None:
        """Begin with nothing.

        Args:
            account: path of the last run's run.json; None where runs leave none.
        """
        self.texts: list[str] = []
        self._known = frozenset() if account is None else _read_notices(account)

    def add(self, text: str) -> None:
        """Add a notice, and log it."""
        if text not in self.texts:
            self.texts.append(text)
            log.log(logging.INFO if text in self._known else logging.WARNING, "%s", text)


def _read_notices(path: str) -> frozenset[str]:
    """Read the notices of a run.json; none where it is missing, damaged or not ours."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size <= _MAX_ACCOUNT:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            notices = content.get("notices") if isinstance(content, dict) else None
            return (
                frozenset(text for text in notices if isinstance(text, str))
                if isinstance(notices, list)
                else frozenset()
            )
    return frozenset()
