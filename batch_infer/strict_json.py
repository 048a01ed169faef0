"""Parses JSON from untrusted files: only shallow, finite and encodable values; anything else is a ValueError."""

import json
import math
from typing import Any, Final, NoReturn

_MAX_DEPTH: Final = 20  # nested containers; what the project itself writes has four


class JsonLimitError(ValueError):
    """It is JSON, or begins like it, but exceeds a limit."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        json.JSONDecodeError: it is not JSON.
        JsonLimitError: it is nested beyond 20 levels, or has a number that is not finite or too long, or half a
            surrogate pair.
        UnicodeDecodeError: bytes that are not UTF-8 (also a ValueError).
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        content = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_float)
    except (json.JSONDecodeError, JsonLimitError):
        raise
    except (ValueError, RecursionError, MemoryError) as error:  # ValueError: an integer of more than 4,300 digits
        raise JsonLimitError("nested too deeply, or a number too long") from error
    _check_depth(content)
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise JsonLimitError("half a surrogate pair") from error
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise JsonLimitError(f"{name} is not a number in JSON")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise JsonLimitError("a number is too large")
    return value


def _check_depth(content: Any) -> None:
    level = [content]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise JsonLimitError(f"nested more than {_MAX_DEPTH} deep")
