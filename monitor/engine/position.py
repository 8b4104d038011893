"""Where a run stands, as findings and snapshots carry it: a pure projection of the run's state."""

from __future__ import annotations

from monitor.model.run import RunState, Validation
from monitor.model.snapshot import RunPosition


def validation_under_way(state: RunState) -> Validation | None:
    """The validation that began and hasn't ended; None outside of one."""
    return next((item for item in reversed(state.validations) if item.began_at and item.ended_at is None), None)


def position_of(state: RunState, phase_limit: float | None) -> RunPosition:
    """The position of `state`; `phase_limit` is the learned limit of its present phase, in seconds."""
    validation = validation_under_way(state)
    complete = [checkpoint.step for checkpoint in state.checkpoints if checkpoint.complete]
    progress = state.progress
    return RunPosition(
        name=state.name,
        step=state.step,
        total_steps=state.final_step,
        phase=state.phase,
        phase_since=state.phase_since,
        validation_step=validation.step if validation else None,
        validation_done=validation.done if validation else None,
        validation_total=validation.total if validation else None,
        last_moved_at=progress.last_moved_at if progress else state.started_at,
        last_fact=progress.last_fact if progress else "",
        phase_limit_seconds=phase_limit,
        save_order=state.config.save_order,
        newest_checkpoint_step=max(complete, default=None),
        ended=state.ended_at is not None,
    )
