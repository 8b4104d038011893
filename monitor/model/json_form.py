"""The JSON form of the model's frozen dataclasses, both ways, with no field list written twice.

Covers: dataclasses, enums, tuples, frozensets, dicts with string keys, optionals, unions of plain values. Unknown keys
are ignored (a newer writer may know more); a missing key takes the field's default or raises `MalformedRecord`.
Does not cover: arbitrary classes, positional tuples of mixed types.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class MalformedRecord(ValueError):
    """A JSON document that does not have the shape of the dataclass it should become."""

    HELP_TEXT = "the file is damaged or was written by another version of laststep; capture it again"


def to_json(value: Any) -> Any:
    """`value` as plain dicts, lists, strings, numbers, booleans and None; sets become sorted lists."""
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(to_json(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], document: Any) -> T:
    """The instance of the dataclass `kind` that `document` describes. Raises `MalformedRecord`."""
    return typing.cast(T, _build(kind, document, kind.__name__))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(hint: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(hint)
    if hint is Any or hint is object:
        return value
    if origin in (typing.Union, types.UnionType):
        return _build_union(typing.get_args(hint), value, path)
    if origin in (tuple, frozenset, list):
        if not isinstance(value, list):
            raise MalformedRecord(f"{path}: expected a list, got {type(value).__name__}")
        item = (typing.get_args(hint) or (Any,))[0]
        return origin(_build(item, entry, f"{path}[{index}]") for index, entry in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise MalformedRecord(f"{path}: expected an object, got {type(value).__name__}")
        item = typing.get_args(hint)[1]
        return {key: _build(item, entry, f"{path}.{key}") for key, entry in value.items()}
    if isinstance(hint, type):
        return _build_plain(hint, value, path)
    return value


def _build_union(options: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in options:
        return None
    last: MalformedRecord | None = None
    for option in options:
        if option is type(None):
            continue
        try:
            return _build(option, value, path)
        except MalformedRecord as error:
            last = error
    raise last or MalformedRecord(f"{path}: null where a value is needed")


def _build_plain(hint: type, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise MalformedRecord(f"{path}: expected an object, got {type(value).__name__}")
        hints = _hints(hint)
        known = {
            field.name: _build(hints[field.name], value[field.name], f"{path}.{field.name}")
            for field in dataclasses.fields(hint)
            if field.name in value
        }
        try:
            return hint(**known)
        except TypeError as error:
            raise MalformedRecord(f"{path}: {error}") from error
    if issubclass(hint, enum.Enum):
        try:
            return hint(value)
        except ValueError as error:
            raise MalformedRecord(f"{path}: {error}") from error
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise MalformedRecord(f"{path}: expected {hint.__name__}, got {type(value).__name__}")
    return value
