"""Trainer profiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainerProfile:
    """What a trainer prints and calls."""

    name: str
    evaluation_engine: str | None = None


def load_profile(name: str) -> TrainerProfile:
    """The profile `name`."""
    raise NotImplementedError


def match_profile(actor_class_names: Iterable[str], entrypoint: str) -> TrainerProfile:
    """The profile that fits."""
    raise NotImplementedError
