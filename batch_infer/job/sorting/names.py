"""The names of pictures in a folder of --sort-into: their own, with a hash where another picture has that name."""

import hashlib
import itertools
import os
from collections.abc import Iterator
from typing import Final

_MAX_NAME: Final = 200  # bytes; with what is added to tell names apart still below the 255 of most file systems
_MAX_OWN: Final = 255  # bytes


def picture_name(path: str, position: int) -> str:
    """The name of an image that is no file of its own: that of the file it is in, its index, and .png."""
    return f"{_cut(os.path.basename(path).replace('::', '-'), _MAX_NAME)}-{position:06}.png"


def candidates(name: str, path: str, position: int) -> Iterator[str]:
    """Possible names of a picture, the best one first; they depend on nothing but the arguments.

    Args:
        name: the one it should have.
        path: where it comes from; absolute.
        position: index in that file, or -1.
    """
    digest = hashlib.sha256(os.fsencode(path) + b"\0%d" % position).hexdigest()
    stem, suffix = os.path.splitext(name)
    if len(os.fsencode(suffix)) > _MAX_OWN - _MAX_NAME - 10:
        stem, suffix = name, ""
    if len(os.fsencode(name)) <= _MAX_OWN:
        yield name
    yield f"{_cut(stem, _MAX_NAME)}-{digest[:8]}{suffix}"
    plain = suffix if suffix.isascii() and suffix[1:].isalnum() else ""
    yield f"{digest[:32]}{plain}"  # for file systems that cannot have the others
    yield from (f"{digest[:32]}-{number}{plain}" for number in itertools.count(2))


def _cut(name: str, length: int) -> str:
    data = os.fsencode(name)
    return name if len(data) <= length else data[:length].decode("utf-8", "ignore")
