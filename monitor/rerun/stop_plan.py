"""What must be stopped so that a run's resources are free: its driver, its workers, what they started, and no other.

By Ray's records of this one job, and /proc: Ray's own processes, and those of other jobs in the same Ray, are no part
of it. Covers this machine only: what runs elsewhere is named as unseen. Ends nothing: that is `stopping`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.ledger import process_identity
from monitor.model.errors import ExitCode, LaststepError
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.snapshot import RunPosition
from monitor.sources import proc
from monitor.sources.run_processes import IDLE, RunProcess

UPDATE_PHASE = "update_actor"
"""The phase after which the weights of a step exist."""


class CannotStop(LaststepError):
    """Nothing is stopped: it can't be told what would have to be."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class StopTarget:
    """One process that is to end. With its start: a pid that was given to another process is not touched."""

    pid: int
    start_ticks: int
    label: str

    @property
    def alive(self) -> bool:
        """True while this very process lives."""
        return process_identity.alive(self.pid, self.start_ticks)


@dataclass(frozen=True)
class StopPlan:
    """What would be stopped, and what that costs."""

    run: str
    job_id: str
    verdict: str
    driver: StopTarget
    others: tuple[StopTarget, ...]
    """Workers of the job and their children, in order of pid."""
    unseen: tuple[str, ...]
    """Processes of the run that can't be seen from here: they end with the driver, or stay."""
    lost_step: int | None
    """The step whose weights are in the processes only; None where the newest weights are on disk."""
    saved_step: int | None
    """The newest complete checkpoint."""

    @property
    def phrase(self) -> str:
        """The words that confirm it: the run's name, and what speaks against it where it is not proved to hang."""
        return self.run if self.verdict == VerdictWord.HANG.value else f"stop {self.run}, {self.verdict}"

    @property
    def loss_phrase(self) -> str:
        """The second phrase; empty where nothing is lost."""
        return "" if self.lost_step is None else f"lose the weights of step {self.lost_step}"

    @property
    def loss(self) -> str:
        """What is lost, as a sentence; empty where nothing is."""
        if self.lost_step is None:
            return ""
        kept = (
            f"the newest complete checkpoint is of step {self.saved_step}"
            if self.saved_step is not None
            else "there is no complete checkpoint"
        )
        return f"the weights of step {self.lost_step} exist only in these processes ({kept})"


def plan_stop(
    run: str,
    job_id: str,
    driver_pid: int | None,
    processes: Sequence[RunProcess],
    unseen: Sequence[str],
    system_pids: Iterable[int],
    position: RunPosition,
    verdict: Verdict,
    phases: Sequence[str],
    table: Mapping[int, int] | None = None,
) -> StopPlan:
    """The plan for the job whose processes these are. Raises `CannotStop` where its driver can't be seen.

    `table`: pid → parent's pid. `phases`: the trainer's phases in their order.
    """
    table = dict(proc.parents() if table is None else table)
    system = frozenset(system_pids)
    labels = {process.pid: process.label for process in processes}
    own = {process.pid for process in processes if process.actor_id or process.worker_id}
    driver = _target(driver_pid, labels) if driver_pid is not None else None
    if driver is None:
        raise CannotStop(
            f"the driver of {run} can't be seen from here", "call it on the machine where the training was started"
        )
    for pid in (driver.pid, *own):
        # A driver that started its own Ray has Ray's processes below it: they end when it ends, not by our hand.
        below = proc.descendants(pid, table, system)
        own |= {child for child in below if not proc.title(child).startswith(IDLE)}
    if os.getpid() in own:
        raise CannotStop(f"this process was started by {run}", "call it from another terminal")
    others = (_target(pid, labels) for pid in sorted(own - system - {driver.pid}))
    lost = unsaved_step(position, phases)
    return StopPlan(
        run,
        job_id,
        verdict.word.value,
        driver,
        tuple(target for target in others if target is not None),
        tuple(unseen),
        lost,
        position.newest_checkpoint_step,
    )


def unsaved_step(position: RunPosition, phases: Sequence[str]) -> int | None:
    """The newest step whose weights are not in a complete checkpoint; None where they are, or none was trained."""
    reached = max(position.step or 0, position.validation_step or 0)
    trained = reached if _updated(position.phase, phases) else reached - 1
    return trained if trained > max(position.newest_checkpoint_step or 0, 0) else None


def _updated(phase: str | None, phases: Sequence[str]) -> bool:
    """Whether the weights of the step under way exist by now; True where that can't be told."""
    if phase not in phases or UPDATE_PHASE not in phases:
        return True
    return phases.index(phase or "") > phases.index(UPDATE_PHASE)


def _target(pid: int, labels: Mapping[int, str]) -> StopTarget | None:
    ticks = process_identity.start_ticks(pid)
    return StopTarget(pid, ticks, labels.get(pid, f"{proc.title(pid)[:60]} (pid {pid})")) if ticks else None
