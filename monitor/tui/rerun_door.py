"""The door to reruns: plan with preflight, and launch. The dashboard knows this shape only.

Each call may take seconds (checkpoints are hashed), so the dashboard calls it from a thread. Tests have a fake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from monitor.report.clean_text import clean

if TYPE_CHECKING:
    from monitor.rerun.plan import RerunPlan

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"

SHOWN_FIELDS: Mapping[str, str] = {
    "run": "run",
    "step": "step",
    "checkpoint": "weights from",
    "start_model": "start model",
    "validation_file": "validation set",
    "rows_expected": "samples",
    "recipe_label": "quantization",
    "metric": "metric",
    "engine": "engine",
    "out_directory": "writes only into",
    "experiment": "experiment",
}
"""Field of the plan → how a person calls it, in the order shown."""


@dataclass(frozen=True)
class CheckLine:
    """One preflight line: `state` is `pass`, `fail` or `unknown`."""

    name: str
    state: str
    sentence: str
    evidence: tuple[str, ...] = ()
    cure: str = ""


@dataclass(frozen=True)
class PlannedRerun:
    """A plan as it is shown, its preflight, and what the launch needs again."""

    run: str
    step: int
    facts: tuple[tuple[str, str], ...]
    checks: tuple[CheckLine, ...]
    plan: object

    @property
    def refused(self) -> bool:
        """True where any line fails."""
        return any(check.state == FAIL for check in self.checks)


class RerunDoor(Protocol):
    """What the dashboard needs of reruns. Both raise `LaststepError`."""

    def plan(self, run: str, step: int | None) -> PlannedRerun:
        """The plan for a score of `run` and every preflight line; the last step unless one is named."""

    def launch(self, planned: PlannedRerun) -> str:
        """Start it; the rerun's id."""


class LedgerReruns:
    """The real door. Opens the ledger for each call, in the caller's thread."""

    def __init__(self, ledger_path: Path | None) -> None:
        self._path = ledger_path

    def plan(self, run: str, step: int | None) -> PlannedRerun:
        """See `RerunDoor`."""
        from monitor.ledger.store import Ledger
        from monitor.rerun.plan import make_plan
        from monitor.rerun.preflight import check
        from monitor.tui.ledger_reader import unsaid

        with Ledger.open(self._path, say=unsaid) as ledger:
            plan = make_plan(ledger, run, step=step)
            checks = check(plan, ledger)
        shown = tuple(
            CheckLine(
                line.name, line.state.value, clean(line.sentence), tuple(map(clean, line.evidence)), clean(line.cure)
            )
            for line in checks
        )
        return PlannedRerun(plan.run, plan.step, plan_facts(plan), shown, plan)

    def launch(self, planned: PlannedRerun) -> str:
        """See `RerunDoor`."""
        from monitor.ledger.store import Ledger
        from monitor.rerun.launch import start
        from monitor.rerun.plan import RerunPlan
        from monitor.tui.ledger_reader import unsaid

        if not isinstance(planned.plan, RerunPlan):
            raise TypeError(f"not a rerun plan: {type(planned.plan).__name__}")
        with Ledger.open(self._path, say=unsaid) as ledger:
            return start(planned.plan, ledger)


def plan_facts(plan: RerunPlan) -> tuple[tuple[str, str], ...]:
    """The plan's fields as a person reads them; what isn't known is said to be so."""
    names = {field.name for field in fields(plan)}
    rows = []
    for name, label in SHOWN_FIELDS.items():
        if name in names:
            value = getattr(plan, name)
            rows.append((label, "not known" if value is None else clean(str(value))))
    return tuple(rows)
