"""Builds dataclasses from the content of JSON files and checkpoints, checking each value's type."""

import dataclasses
import math
from typing import Any, TypeVar, get_args, get_origin

T = TypeVar("T")


def build(kind: type[T], content: Any) -> T:
    """Build a dataclass from a dictionary, nested ones and tuples included; keys without a field are ignored.

    Raises:
        ValueError: a key is missing, or a value has another type, or is a number that is not finite.
    """
    if not isinstance(content, dict):
        raise ValueError(f"expected an object for {kind.__name__}, found {type(content).__name__}")  # noqa: TRY004
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name not in content:
            if field.default is not dataclasses.MISSING:  # newer than what was written
                continue
            raise ValueError(f"{field.name} is missing")
        value = content[field.name]
        if dataclasses.is_dataclass(field.type):
            value = build(field.type, value)  # type: ignore[arg-type]
        elif get_origin(field.type) is tuple:
            if not isinstance(value, list) or not all(_fits(one, get_args(field.type)) for one in value):
                raise ValueError(f"{field.name} is {repr(value)[:40]}; expected a list")
            value = tuple(value)
        elif not _fits(value, get_args(field.type) or (field.type,)):
            raise ValueError(f"{field.name} is {repr(value)[:40]}; expected {_shown(field.type)}")
        values[field.name] = value
    return kind(**values)


def _fits(value: Any, types: tuple[Any, ...]) -> bool:
    if float in types and type(value) in {int, float}:
        return -1e300 < value < 1e300 if type(value) is int else math.isfinite(value)
    return type(value) in types


def _shown(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
