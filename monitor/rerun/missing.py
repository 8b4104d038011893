"""Every missing final score that the ledger knows of: what can be filled, in which order, and each filled once.

All state is the ledger's: a score that was filled, or whose rerun is under way, is told by its rows and by the process
that holds them, so a batch that was interrupted is simply planned again. Launches nothing by itself.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.ledger.standings import judge_run
from monitor.model.errors import LaststepError
from monitor.model.run import RunState
from monitor.model.score import Standing
from monitor.rerun import claims
from monitor.rerun.facts import LineState, PreflightLine
from monitor.rerun.needs import Needs, needs_of
from monitor.rerun.plan import RerunPlan, make_plan

if TYPE_CHECKING:
    from monitor.ledger.rows import RerunRow
    from monitor.ledger.store import Ledger

Look = Callable[[RerunPlan, "Ledger"], Sequence[PreflightLine]]
Launch = Callable[[RerunPlan, "Ledger"], str]
"""Starts a rerun and returns its id; raises where it is refused or does not start."""
Follow = Callable[["Ledger", str], "Iterable[RerunRow]"]


class Stage(str, enum.Enum):
    """Where a missing score stands."""

    UNDER_WAY = "under-way"
    READY = "ready"
    REFUSED = "refused"
    """Preflight refuses, or no plan can be made."""
    FILLED = "filled"
    """A rerun of it ended with a score."""
    FAILED = "failed"
    """Its rerun of this batch ended without one."""

    def __str__(self) -> str:
        return self.value


ORDER = tuple(Stage)


@dataclass(frozen=True)
class MissingFinal:
    """One run's missing final score."""

    run: str
    stage: Stage
    why: str
    plan: RerunPlan | None = None
    needs: Needs | None = None
    rerun: str | None = None
    """Id of the rerun that is under way or filled it."""


def missing_finals(
    ledger: Ledger, look: Look, names: Sequence[str] | None = None, python: str | None = None
) -> tuple[MissingFinal, ...]:
    """The missing finals of the runs `names` (None: of all), in the order to fill them.

    Those under way first, then the ones that are ready: shortest first, so that most scores are there soonest; those
    of unknown length after them, smallest checkpoint first. `look`: preflight.
    """
    claims.settle(ledger)
    wanted = [summary.name for summary in ledger.runs()] if names is None else list(dict.fromkeys(names))
    found = [
        _weigh(state, ledger, look, python)
        for state, scores in ledger.runs_with_scores(wanted)
        if Standing.MISSING_FINAL in judge_run(state, scores)[0]
    ]
    return tuple(sorted(found, key=_place))


def _place(found: MissingFinal) -> tuple[int, bool, float, int, str]:
    needs = found.needs
    seconds = needs.seconds if needs else None
    return ORDER.index(found.stage), seconds is None, seconds or 0.0, needs.weights if needs else 0, found.run


def _weigh(state: RunState, ledger: Ledger, look: Look, python: str | None) -> MissingFinal:
    try:
        plan = make_plan(ledger, state.name, python=python)
    except LaststepError as error:
        return MissingFinal(state.name, Stage.REFUSED, str(error))
    known = taken(plan, ledger)
    if known is not None:
        return known
    needs = needs_of(plan, ledger)
    failed = [line for line in look(plan, ledger) if line.state is LineState.FAIL]
    if failed:
        return MissingFinal(state.name, Stage.REFUSED, f"{failed[0].name}: {failed[0].sentence}", plan, needs)
    return MissingFinal(state.name, Stage.READY, _why_here(needs), plan, needs)


def _why_here(needs: Needs) -> str:
    length = f"about {needs.seconds / 60:.0f} min" if needs.seconds else "of unknown length"
    return f"{length} ({needs.why}), {needs.memory / 1024**3:.1f} GiB of memory"


def taken(plan: RerunPlan, ledger: Ledger) -> MissingFinal | None:
    """The rerun of this very score that is under way or ended with a score; None where there is neither."""
    rows = [row for row in ledger.reruns(plan.run) if (row.step, row.recipe) == (plan.step, plan.recipe_label)]
    for row in rows:
        if not row.over and claims.alive(row):
            sentence = f"{row.id} is under way (pid {row.pid})"
            return MissingFinal(plan.run, Stage.UNDER_WAY, sentence, plan, rerun=row.id)
    done = next((row for row in rows if row.status == "done"), None)
    return None if done is None else MissingFinal(plan.run, Stage.FILLED, _filled(done, ledger), plan, rerun=done.id)


def _filled(row: RerunRow, ledger: Ledger) -> str:
    score = next((item for item in ledger.scores(row.run) if item.provenance.rerun_id == row.id), None)
    if score is None:
        return f"{row.id} is done, and its score is gone"
    standing = ", ".join(word.value for word in score.standing)
    return f"{row.id} scored {score.value:.4f}, standing: {standing}"


def fill(
    found: Sequence[MissingFinal], ledger: Ledger, launch: Launch, follow: Follow
) -> Iterator[tuple[MissingFinal, RerunRow | None]]:
    """Fill them one after the other, each once: (where it stands, the row that moved) as it goes.

    One that began elsewhere meanwhile is followed, not started again. What is refused or fails leaves the rest alone.
    """
    for item in found:
        if item.plan is None or item.stage not in (Stage.READY, Stage.UNDER_WAY):
            continue
        now = taken(item.plan, ledger) or item
        if now.stage is Stage.FILLED:
            yield now, None
            continue
        try:
            identity = now.rerun if now.stage is Stage.UNDER_WAY and now.rerun else launch(item.plan, ledger)
        except LaststepError as error:
            yield replace(item, stage=Stage.REFUSED, why=str(error)), None
            continue
        yield from _followed(replace(item, rerun=identity), ledger, follow)


def _followed(item: MissingFinal, ledger: Ledger, follow: Follow) -> Iterator[tuple[MissingFinal, RerunRow | None]]:
    identity = str(item.rerun)
    for row in follow(ledger, identity):
        if not row.over:
            yield replace(item, stage=Stage.UNDER_WAY, why=row.status), row
    row = ledger.rerun(identity)
    if row.status == "done":
        yield replace(item, stage=Stage.FILLED, why=_filled(row, ledger)), row
    else:
        yield replace(item, stage=Stage.FAILED, why=f"{identity} {row.status}: {row.error}"), row
