"""Values of facts as they come from outside: taken where they are what they should be, else None. Pure."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from monitor.model.run import RunConfig

_CONFIG_KINDS: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "str": str,
    "bool": bool,
    "float": (int, float),
    "dict": dict,
}
_CONFIG_FIELDS = {
    field.name: next(kind for word, kind in _CONFIG_KINDS.items() if str(field.type).startswith(word))
    for field in fields(RunConfig)
}


def fits_config(name: str, value: Any) -> bool:
    """True where `RunConfig` has a field `name` that can hold `value`."""
    kind = _CONFIG_FIELDS.get(name)
    return kind is not None and isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def count(value: Any) -> int | None:
    """A whole number, not negative."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def number(value: Any) -> float | None:
    """A finite number."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if plain else None


def finer(known: float, told: float) -> float:
    """Of one number told twice, the one with more digits; of two numbers, the first."""
    if not same(known, told):
        return known
    return max(known, told, key=lambda value: (len(repr(value)), value))


def same(known: float, told: float) -> bool:
    """True where two sources tell one number, one of them rounded."""
    return math.isclose(known, told, rel_tol=1e-3, abs_tol=1e-9)
