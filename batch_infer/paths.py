"""File names as text that is safe in a CSV cell, a spreadsheet, a log and a terminal, and can be decoded again."""

import os
import re
import unicodedata
from typing import Final

# Most names need none of the work below: printable ASCII, no "%", no leading formula sign.
_PLAIN: Final = re.compile(r"(?![=+\-@])[ !-$&-~]*\Z")
_ESCAPED_BYTE: Final = re.compile(r"%(?=[0-9A-Fa-f]{2})")
_SIGNS: Final = frozenset("=+-@")  # a cell that begins with one is a formula to a spreadsheet
# Control (Cc), format and bidi (Cf), surrogate (Cs: bytes that are not UTF-8), line and paragraph separators (Zl, Zp).
_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escape_path(path: str) -> str:
    """Percent-escape what must not appear in a cell: see the column `path` in batch_infer/README.md.

    Escaped are bytes that are not UTF-8, control, format and bidi characters, a leading `= + - @`, and a `%` before two
    hexadecimal digits. `urllib.parse.unquote_to_bytes` restores the name's bytes.

    Args:
        path: a path as Python represents it (undecodable bytes as lone surrogates, PEP 383).
    """
    if _PLAIN.match(path):
        return path
    # Under LANG=C with UTF-8 mode off a name may have been decoded differently: start from its bytes.
    text = os.fsencode(path).decode("utf-8", "surrogateescape")
    text = _ESCAPED_BYTE.sub("%25", text)
    if text[:1] in _SIGNS:
        text = f"%{ord(text[0]):02X}{text[1:]}"
    return "".join(
        _percent(character) if unicodedata.category(character) in _UNSAFE_CATEGORIES else character
        for character in text
    )


def escape_paths(paths: list[str]) -> list[str]:
    """Percent-escape many paths, as escape_path does; for a list of plain paths one search is enough."""
    text = "".join(paths)
    if text.isascii() and text.isprintable() and "%" not in text and not {path[:1] for path in paths} & _SIGNS:
        return paths
    return [escape_path(path) for path in paths]


def unescape_path(text: str) -> str:
    """Undo escape_path → the path as Python represents it."""
    if "%" in text:
        from urllib.parse import unquote_to_bytes

        return os.fsdecode(unquote_to_bytes(text.encode("utf-8", "surrogateescape")))
    return text if text.isascii() else os.fsdecode(text.encode("utf-8", "surrogateescape"))


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
