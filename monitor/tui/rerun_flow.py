"""A rerun as the dashboard goes through it: asked, planned, confirmed, launched. Pure; who acts is `dashboard.py`.

The confirmation is the run's whole name, typed: nothing that Enter alone, or a key held down, can give.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from monitor.tui.rerun_door import PlannedRerun


class Stage(enum.Enum):
    """Where it stands."""

    NONE = "none"
    PLANNING = "planning"
    PLANNED = "planned"
    LAUNCHING = "launching"
    LAUNCHED = "launched"
    FAILED = "failed"
    """No plan could be made, or the launch was refused."""


@dataclass(frozen=True)
class RerunFlow:
    """One rerun, from the key to the proof."""

    stage: Stage = Stage.NONE
    run: str = ""
    step: int | None = None
    planned: PlannedRerun | None = None
    identity: str = ""
    problem: str = ""
    cure: str = ""

    @property
    def can_confirm(self) -> bool:
        """True where a typed name would launch."""
        return self.stage is Stage.PLANNED and self.planned is not None and not self.planned.refused

    def confirms(self, typed: str) -> bool:
        """True where `typed` is the run's whole name."""
        return self.can_confirm and bool(self.run) and typed.strip() == self.run

    def began(self, run: str, step: int | None) -> RerunFlow:
        """A plan was asked for."""
        return RerunFlow(Stage.PLANNING, run, step)

    def with_plan(self, planned: PlannedRerun) -> RerunFlow:
        """The plan and its preflight are there."""
        return replace(self, stage=Stage.PLANNED, planned=planned, run=planned.run)

    def with_problem(self, problem: str, cure: str) -> RerunFlow:
        """It can't go on."""
        return replace(self, stage=Stage.FAILED, problem=problem, cure=cure)

    def launching(self) -> RerunFlow:
        """The name was typed."""
        return replace(self, stage=Stage.LAUNCHING)

    def launched(self, identity: str) -> RerunFlow:
        """The rerun's process was started."""
        return replace(self, stage=Stage.LAUNCHED, identity=identity)
