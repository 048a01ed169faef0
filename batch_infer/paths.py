"""File names as text that is safe in a CSV cell, a spreadsheet, a log and a terminal, and can be decoded again."""

import os
import re
import unicodedata
from typing import Final

# Most names need none of the work below: printable ASCII, no "%", no leading formula sign.
_PLAIN: Final = re.compile(r"(?![=+\-@])[ !-$&-~]*\Z")
_ESCAPED_BYTE: Final = re.compile(r"%(?=[0-9A-Fa-f]{2})")
_WHY_MISSING: Final = tuple(
    (re.compile(pattern), why)
    for pattern, why in (
        (r"\A\Z", "the name is empty: is a variable not set?"),
        (r"\r\Z", "the list has Windows line ends: remove them with dos2unix"),
        (r"\A-\Z", "standard input is read for names only: --files-from -"),
        (r"://", "URLs are not read: download it first (curl -O), and name the file or its folder"),
        (r"\A~", "nothing has expanded ~ to your home folder: write the whole path, or $HOME"),
        (r"\A[A-Za-z]:[\\/]|\A\\\\|\A[^/]+\\", r"this is a path of Windows: in WSL, C:\x is /mnt/c/x"),
        (r"\$", "nothing has put in the value of the variable: remove the single quotes"),
        (r"[*?]", "no file matches, or nothing has expanded the wildcard: name the folder"),
    )
)
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
    return escape_unsafe(text)


def escape_unsafe(text: str) -> str:
    """Percent-escape control, format and bidi characters of any text, and bytes that are not UTF-8; nothing else."""
    if text.isprintable():
        return text
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


def show_path(path: str) -> str:
    """Escape a path for a message: as escape_path does, but a leading `= + - @` stays, as a line is no cell."""
    return path[:1] + escape_path("x" + path[1:])[1:] if path[:1] in _SIGNS and path else escape_path(path)


def explain_missing(path: str) -> str:
    """Guess why there is no file or folder of a name that a user typed, and what to type; empty without an idea."""
    return next((why for pattern, why in _WHY_MISSING if pattern.search(path)), "")


def unescape_path(text: str) -> str:
    """Undo escape_path → the path as Python represents it."""
    if "%" in text:
        from urllib.parse import unquote_to_bytes

        return os.fsdecode(unquote_to_bytes(text.encode("utf-8", "surrogateescape")))
    return text if text.isascii() else os.fsdecode(text.encode("utf-8", "surrogateescape"))


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
