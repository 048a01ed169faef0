"""What a download gives instead of the file that was meant: a web page, a server's error, a git-LFS pointer."""

import re
from typing import Final

_AGAIN: Final = "not the file itself; download it again"
_ERROR_CODE: Final = re.compile(rb"<code>([a-z0-9]{1,40})</code>", re.IGNORECASE)
_HEAD: Final = 1024  # bytes that are looked at


def describe_download(data: bytes) -> str | None:
    """Recognize such a file by its first bytes.

    Args:
        data: content of the file, or its first bytes.

    Returns:
        What it is and what to do; None if it is nothing of the kind.
    """
    text = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text.lower()
    if lower.startswith(b"version https://git-lfs.github.com/"):
        return "a git-LFS pointer, not the file itself; fetch that with: git lfs pull"
    if lower.startswith((b"<!doctype html", b"<html", b"<head")) or (lower.startswith(b"<") and b"<html" in lower):
        return f"an HTML page (a login, an error?), {_AGAIN}"
    if lower.startswith(b"<") and b"<error>" in lower:
        code = _ERROR_CODE.search(text)
        shown = f" ({code[1].decode()})" if code else ""
        return f"a server's error in XML{shown}, {_AGAIN}"
    if lower.startswith(b"{") and (b'"error' in lower or b'"message"' in lower):
        return f"a server's error in JSON, {_AGAIN}"
    return None
