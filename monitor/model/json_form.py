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
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class MalformedRecord(ValueError):
    """A JSON document that does not have the shape of the dataclass it should become."""

    HELP_TEXT = "the file is damaged or was written by another version of laststep; capture it again"


_PLAIN = frozenset({str, int, float, bool, type(None)})


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def to_json(value: Any) -> Any:
    """`value` as plain dicts, lists, strings, numbers, booleans and None; sets become sorted lists."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_json(getattr(value, name)) for name in _field_names(type(value))}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(to_json(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def to_json_brief(record: Any) -> dict[str, Any]:
    """The dataclass `record` as `to_json` gives it, without the fields that hold their default."""
    kind: type = type(record)
    defaults = _defaults_of(kind)
    values = ((name, getattr(record, name)) for name in _field_names(kind))
    return {name: to_json(value) for name, value in values if name not in defaults or value != defaults[name]}


@cache
def _defaults_of(kind: type) -> dict[str, Any]:
    plain = (field for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING)
    return {field.name: field.default for field in plain}


def from_json(kind: type[T], document: Any) -> T:
    """The instance of the dataclass `kind` that `document` describes. Raises `MalformedRecord`."""
    try:
        return typing.cast(T, _converter(typing.cast(Any, kind))(document))
    except _Wrong as error:
        raise MalformedRecord(f"{kind.__name__}{error.path}: {error.what}") from error


def from_json_again(kind: type[T], document: Any, last: tuple[Any, T] | None) -> T:
    """`from_json`, for a document that comes again and again.

    `last`: the document before this one, and its instance. Fields whose JSON is as it was then keep their values.
    """
    if last is None or not isinstance(document, dict):
        return from_json(kind, document)
    before, value = last
    kept = {}
    for name in _field_names(typing.cast(type, kind)):
        if name not in document or name not in before:
            continue
        built = getattr(value, name)
        if document[name] == before[name]:
            kept[name] = built
        elif isinstance(document[name], dict) and isinstance(before[name], dict) and dataclasses.is_dataclass(built):
            kept[name] = from_json_again(typing.cast(Any, type(built)), document[name], (before[name], built))
    try:
        return typing.cast(T, _instance(kind, document, kept))
    except _Wrong as error:
        raise MalformedRecord(f"{kind.__name__}{error.path}: {error.what}") from error


Convert = Callable[[Any], Any]
"""From a JSON value to what a hint asks for. Raises `_Wrong`."""


class _Wrong(ValueError):
    """Something at `path` of the document is not what was expected; the path grows on its way out."""

    def __init__(self, what: str, path: str = "") -> None:
        super().__init__(what)
        self.what, self.path = what, path

    def inside(self, step: str) -> _Wrong:
        return _Wrong(self.what, step + self.path)


@cache
def _converter(hint: Any) -> Convert:
    """How values of this hint are built, made once: a ledger's views build thousands of records."""
    origin = typing.get_origin(hint)
    if hint is Any or hint is object:
        return _as_it_is
    if origin in (typing.Union, types.UnionType):
        return _of_union(typing.get_args(hint))
    if origin in (tuple, frozenset, list):
        return _of_items(origin, _converter((typing.get_args(hint) or (Any,))[0]))
    if origin is dict:
        return _of_mapping(_converter(typing.get_args(hint)[1]))
    if not isinstance(hint, type):
        return _as_it_is
    if dataclasses.is_dataclass(hint):
        return _of_dataclass(hint)
    return _of_enum(hint) if issubclass(hint, enum.Enum) else _of_plain(hint)


def _as_it_is(value: Any) -> Any:
    return value


def _of_union(options: tuple[Any, ...]) -> Convert:
    optional = type(None) in options
    converters = tuple(_converter(option) for option in options if option is not type(None))

    def convert(value: Any) -> Any:
        if value is None:
            if optional:
                return None
            raise _Wrong("null where a value is needed")
        last: _Wrong | None = None
        for converter in converters:
            try:
                return converter(value)
            except _Wrong as error:
                last = error
        raise last or _Wrong("null where a value is needed")

    return convert


def _of_items(kind: Any, converter: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            raise _Wrong(f"expected a list, got {type(value).__name__}")
        built: list[Any] = []
        try:
            for entry in value:
                built.append(converter(entry))
        except _Wrong as error:
            raise error.inside(f"[{len(built)}]") from error
        return kind(built)

    return convert


def _of_mapping(converter: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _Wrong(f"expected an object, got {type(value).__name__}")
        if converter is _as_it_is:
            return dict(value)
        key = ""
        try:
            built = {}
            for key, entry in value.items():
                built[key] = converter(entry)
            return built
        except _Wrong as error:
            raise error.inside(f".{key}") from error

    return convert


def _of_dataclass(kind: Any) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _Wrong(f"expected an object, got {type(value).__name__}")
        return _instance(kind, value, {})

    return convert


@cache
def _fields_of(kind: Any) -> dict[str, Convert]:
    """How each field is built; made at the first value, since a dataclass may hold others of its own kind."""
    hints = typing.get_type_hints(kind)
    return {name: _converter(hints[name]) for name in _field_names(kind)}


def _instance(kind: Any, document: dict[str, Any], built: dict[str, Any]) -> Any:
    """The dataclass of a document; `built`: the fields that are there already."""
    known = dict(built)
    name = ""
    try:
        for name, converter in _fields_of(kind).items():
            if name in document and name not in built:
                known[name] = converter(document[name])
    except _Wrong as error:
        raise error.inside(f".{name}") from error
    try:
        return kind(**known)
    except TypeError as error:
        raise _Wrong(str(error)) from error


def _of_enum(kind: type[enum.Enum]) -> Convert:
    def convert(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError as error:
            raise _Wrong(str(error)) from error

    return convert


def _of_plain(kind: type) -> Convert:
    number = kind is float

    def convert(value: Any) -> Any:
        if number and type(value) is int:
            return float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _Wrong(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return convert
