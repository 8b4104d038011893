"""The scores of a run's own validations, each with its provenance and standing. Pure; reads nothing but what is given.

Only validations that were executed have scores. Where a full dump is all that is left of one (the step's metrics were
never logged), its mean is kept under `DUMP_METRIC`: another name, because a reward's mean is not the trainer's metric.
Nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from monitor.ledger import attested
from monitor.ledger.attested import Attested
from monitor.ledger.standings import judge_score
from monitor.model.run import RunState, Validation
from monitor.model.score import Provenance, Score

DUMP_METRIC = "dump/score/mean"
UNLOGGED_SECONDS = 120.0
"""A validation that ended so long ago, in a run that goes on, will not have its metrics logged any more."""
UPDATE_PHASE = "update_weights"

Attestations = Mapping[int, Mapping[str, Any]]


def scores_of(state: RunState, attestations: Attestations, now: float) -> tuple[Score, ...]:
    """One score a metric of every executed validation. `attestations` by the step they were made at."""
    scores = []
    for validation in state.validations:
        if not validation.executed:
            continue
        provenance = provenance_of(state, validation, attestations)
        for metric, value in sorted(_values(state, validation, now).items()):
            score = Score(state.name, validation.step, metric, value, now, provenance)
            standing, reasons = judge_score(score, state)
            scores.append(replace(score, standing=standing, reasons=reasons))
    return tuple(scores)


def provenance_of(state: RunState, validation: Validation, attestations: Attestations) -> Provenance:
    """What is known of how the validation's scores were made."""
    config = state.config
    attestation = attestations.get(validation.step, {})
    told = attested.read(attestation, config.recipe)
    expected = [count for count in (config.validation_rows, validation.total) if count is not None]
    declared = (
        str(config.recipe.get("name")) if config.recipe else (attested.NONE if config.quantized is False else None)
    )
    return Provenance(
        source="training",
        final=None if state.final_step is None else validation.step == state.final_step,
        rows=validation.dump_rows if validation.dump_rows is not None else validation.done,
        rows_expected=max(expected, default=None),
        recipe_declared=declared,
        recipe_attested=told.recipe,
        weights_step=_weights_step(state, validation, told, attestations),
        weights_fingerprint=told.weights_fingerprint,
        checkpoint_fingerprint=told.checkpoint_fingerprint,
        start_fingerprint=told.start_fingerprint or _start_fingerprint(state, attestations),
        data_sha256=config.validation_sha256,
        dump_path=validation.dump_path,
        evidence=validation.evidence,
        attestation=dict(attestation),
    )


def _values(state: RunState, validation: Validation, now: float) -> dict[str, float]:
    if validation.scores:
        return dict(validation.scores)
    since = validation.ended_at if validation.ended_at is not None else validation.moved_at
    logged_no_more = state.ended_at is not None or (since is not None and now - since >= UNLOGGED_SECONDS)
    if validation.dump_mean is None or not logged_no_more:
        return {}
    return {DUMP_METRIC: validation.dump_mean}


def _weights_step(state: RunState, validation: Validation, told: Attested, attestations: Attestations) -> int | None:
    """The step whose weights the engine held, by what was executed; None where nothing shows it.

    Weights that were attested at an earlier step already are that step's, whatever the engine calls them.
    """
    print_ = told.weights_fingerprint
    if print_ is not None:
        for step in sorted(step for step in attestations if step < validation.step):
            if attested.read(attestations[step], state.config.recipe).weights_fingerprint == print_:
                return step
    if told.weights_step is not None:
        return told.weights_step
    began = validation.began_at
    taken = [update.step for update in state.weights if began is None or update.at <= began]
    if taken:
        return max(taken)
    sent = any(
        span.step == validation.step and span.phase == UPDATE_PHASE and span.seconds is not None for span in state.spans
    )
    return validation.step if sent else None


def _start_fingerprint(state: RunState, attestations: Attestations) -> str | None:
    """The start model's, from the validation before training or the first weights the engine took."""
    before = attested.read(attestations.get(0, {}), state.config.recipe).weights_fingerprint
    return before or next((item.fingerprint for item in state.weights if item.step == 0 and item.fingerprint), None)
