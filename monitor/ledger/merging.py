"""Two states of one run as one: what an earlier watch knew and a later one can't read any more stays known. Pure.

Covers what the ledger must not lose: validations that were executed, checkpoints, the end, configuration. The newer
state decides all else (step, phase, progress).
"""

from __future__ import annotations

from dataclasses import fields, replace

from monitor.model.run import Checkpoint, RunConfig, RunState, Validation


def merged(known: RunState, newer: RunState) -> RunState:
    """`newer` with what only `known` has."""
    ended = (known.ended_at, known.ended_how) if newer.ended_at is None else (newer.ended_at, newer.ended_how)
    return replace(
        newer,
        config=_config(known.config, newer.config),
        total_steps=newer.total_steps if newer.total_steps is not None else known.total_steps,
        validations=_validations(known.validations, newer.validations),
        checkpoints=_checkpoints(known.checkpoints, newer.checkpoints),
        hooks_seen=known.hooks_seen or newer.hooks_seen,
        guard=newer.guard or known.guard,
        ended_at=ended[0],
        ended_how=ended[1],
    )


def _config(known: RunConfig, newer: RunConfig) -> RunConfig:
    missing = {field.name: getattr(known, field.name) for field in fields(newer) if getattr(newer, field.name) is None}
    return replace(newer, **missing)


def _validations(known: tuple[Validation, ...], newer: tuple[Validation, ...]) -> tuple[Validation, ...]:
    steps = {item.step: item for item in known}
    for item in newer:
        before = steps.get(item.step)
        if before is None or not before.executed or item.executed:
            steps[item.step] = item
    return tuple(steps[step] for step in sorted(steps))


def _checkpoints(known: tuple[Checkpoint, ...], newer: tuple[Checkpoint, ...]) -> tuple[Checkpoint, ...]:
    steps = {item.step: item for item in known}
    steps.update({item.step: item for item in newer})
    return tuple(steps[step] for step in sorted(steps))
