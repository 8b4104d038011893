"""A reading of one source: a value with its age, or unknown with since when and why. Never 0 for "could not read"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from monitor.model.errors import ExitCode, LaststepError

T = TypeVar("T")


@dataclass(frozen=True)
class Unknown:
    """Why something can't be seen, since when, and what would make it visible."""

    what: str
    """The source or the thing: `gpus`, `ray`, `tasks of pid 4711`."""
    since: float
    """Wall clock, seconds since the epoch, UTC."""
    because: str
    cure: str = ""
    """What would show it, as a sentence a person can act on; empty where nothing would."""


@dataclass(frozen=True)
class Reading(Generic[T]):
    """Exactly one of `value` and `unknown` is set."""

    at: float
    value: T | None = None
    unknown: Unknown | None = None


class SourceError(LaststepError):
    """A source that can't be read."""

    HELP_TEXT = "see `laststep doctor` for what can be seen from here"
    exit_code = ExitCode.NOTHING_TO_ATTACH
