"""How a training is about to be launched, as far as its script or configuration says, and what is wrong with it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LaunchSettings:
    """Settings of one launch. Values are plain Python (YAML's types); what a shell would fill in stays unknown."""

    source: str
    """The script or configuration."""
    line: int | None
    """Line on which the command begins, None for a configuration."""
    entry: str
    """Python module or file that is run; empty for a configuration."""
    given: dict[str, Any] = field(default_factory=dict)
    """Dotted key → value."""
    unresolved: frozenset[str] = frozenset()
    """Keys whose value holds a variable that the script doesn't set to plain text."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables the script exports."""
    other_configuration: str = ""
    """A configuration of its own (`--config-name`, `--config-path`) on top of the trainer's; empty: none."""

    def known(self, key: str, default: Any = None) -> Any:
        """The value of `key`; the trainer's default where nothing else can have set it; None where it can't be told."""
        if key in self.unresolved:
            return None
        if key in self.given:
            return self.given[key]
        return None if self.other_configuration else default


@dataclass(frozen=True)
class LaunchSurroundings:
    """What lies on disk where the launch would run. None: not looked at, or can't be told."""

    metrics_file: str | None = None
    """The file logger's file that is there already, and would be erased."""
    checkpoint_step: int | None = None
    """The step of the newest checkpoint in the folder the run would resume from."""
    train_rows: int | None = None
    validation_rows: int | None = None


class Weight(str, enum.Enum):
    """How bad it is."""

    WRONG = "wrong"
    """The run's final score will be missing, or not be what it is taken for; or earlier results are lost."""
    RISK = "risk"
    """It goes well only as long as nothing else goes wrong."""
    UNKNOWN = "unknown"
    """It can't be told from what was read."""


@dataclass(frozen=True)
class LaunchFinding:
    """One thing said of a launch."""

    rule: str
    weight: Weight
    sentence: str
    change: str
    """What to change; empty where there is nothing to."""
    keys: tuple[str, ...] = ()
    """The settings it rests on."""
