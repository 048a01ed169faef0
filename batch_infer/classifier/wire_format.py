"""The wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding), read strictly, without a library.

Stricter than Google's parser: a field that the schema does not have, or a second value of a singular field, is an
error. So nothing can hide in what this reader would skip and another one would merge.
"""

from collections.abc import Mapping
from typing import Any, Final

# What a field may hold. Those in capitals are repeated fields.
INT: Final = "int"
INTS: Final = "INTS"  # one at a time, or packed
FIXED32: Final = "fixed32"
FIXED32S: Final = "FIXED32S"
FIXED64S: Final = "FIXED64S"
TEXT: Final = "text"
TEXTS: Final = "TEXTS"
BYTES: Final = "bytes"
MESSAGE: Final = "message"
MESSAGES: Final = "MESSAGES"

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_WIRES: Final = {
    INT: {_VARINT},
    INTS: {_VARINT, _LENGTH},
    FIXED32: {_FIXED32},
    FIXED32S: {_FIXED32, _LENGTH},
    FIXED64S: {_FIXED64, _LENGTH},
    TEXT: {_LENGTH},
    TEXTS: {_LENGTH},
    BYTES: {_LENGTH},
    MESSAGE: {_LENGTH},
    MESSAGES: {_LENGTH},
}
_MAX_FIELDS: Final = 200_000  # per file; the bundled model has 3,000. Each takes a microsecond.

Schema = Mapping[int, tuple[str, str]]  # number → name, kind
Message = dict[str, list[Any]]


class WireError(ValueError):
    """The bytes are not such a message; the text says why."""


class WireReader:
    """Reads the messages of one file; counts their fields, so that a small file cannot keep it busy for long."""

    def __init__(self) -> None:
        self._left = _MAX_FIELDS

    def read(self, data: memoryview, schema: Schema) -> Message:
        """Read one message, not those inside it.

        Returns:
            The values by field name, in the file's order: int (64 bits, two's complement), str, or memoryview; packed
            fields are left packed.

        Raises:
            WireError: it violates the format or the schema.
        """
        message: Message = {}
        position, end = 0, len(data)
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise WireError(f"more than {_MAX_FIELDS:,} fields")
            tag, position = _varint(data, position)
            wire, number = tag & 7, tag >> 3
            if number not in schema:
                raise WireError(f"an unknown field {number}")
            name, kind = schema[number]
            if wire not in _WIRES[kind]:
                raise WireError(f"{name} of another type")
            value, position = _value(data, position, wire)
            if kind in {TEXT, TEXTS}:
                value = _text(name, value)
            if name not in message:
                message[name] = [value]
            elif kind.isupper():
                message[name].append(value)
            else:
                raise WireError(f"{name} twice")
        return message

    def integers(self, values: list[Any]) -> list[int]:
        """Unpack the values of a field of kind INTS."""
        result: list[int] = []
        for value in values:
            if isinstance(value, int):
                result.append(value)
                continue
            position = 0
            while position < len(value):
                self._left -= 1
                if self._left < 0:
                    raise WireError(f"more than {_MAX_FIELDS:,} fields")
                number, position = _varint(value, position)
                result.append(number)
        return result


def _value(data: memoryview, position: int, wire: int) -> tuple[Any, int]:
    """The value at a position, int or memoryview, and the position after it."""
    if wire == _VARINT:
        return _varint(data, position)
    size = _FIXED_SIZES.get(wire, 0)
    if not size:
        size, position = _varint(data, position)
    if not 0 <= size <= len(data) - position:
        raise WireError("it ends early")
    return data[position : position + size], position + size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    try:
        byte = data[position]
        if byte < 128:
            return byte, position + 1
        value, shift = byte & 127, 7
        while shift < 70:
            position += 1
            byte = data[position]
            value |= (byte & 127) << shift
            if byte < 128:
                value &= (1 << 64) - 1
                return value - (1 << 64) if value >= 1 << 63 else value, position + 1
            shift += 7
    except IndexError as error:
        raise WireError("it ends early") from error
    raise WireError("a number of more than ten bytes")


def _text(name: str, value: memoryview) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"{name} is not UTF-8") from error
