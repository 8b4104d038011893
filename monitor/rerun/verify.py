"""Whether an evaluation's result may become a score: attestation, rows, and that nothing changed meanwhile. Pure.

The score enters the ledger only where `objections` is empty; what it may then claim is the standings' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.ledger.standings import judge_score
from monitor.model.fact import Evidence
from monitor.model.run import RunState
from monitor.model.score import Provenance, Score, Standing
from monitor.rerun.calibration import BY_TRAINER, RECIPE_LINES, Calibrated
from monitor.rerun.facts import CheckpointFacts, LineState, PreflightLine, WeightsFacts
from monitor.rerun.plan import RerunPlan
from quant.verification import refusals

UNQUANTIZED_RECIPE = "none"
"""What a provenance says where quantization was proved to be off, or training had none."""


@dataclass(frozen=True)
class Outcome:
    """What the evaluation gave."""

    value: float
    rows: int
    rows_expected: int
    dump_rows: int
    dump_path: str
    attestation: dict[str, Any]


def objections(
    plan: RerunPlan,
    outcome: Outcome,
    weights: WeightsFacts,
    before: CheckpointFacts,
    after: CheckpointFacts,
    data_sha256: tuple[str | None, str | None],
) -> tuple[str, ...]:
    """Why this result is no score of the plan's checkpoint; empty where it is one."""
    found = list(
        refusals(
            outcome.attestation,
            recipe=plan.recipe,
            checkpoint_fingerprint=weights.checkpoint,
            start_fingerprint=weights.start,
        )
    )
    if before.manifest != after.manifest:
        found.append("the checkpoint's files changed while it was evaluated")
    if data_sha256[0] is None or data_sha256[0] != data_sha256[1]:
        found.append("the validation file changed while it was evaluated")
    if outcome.dump_rows != outcome.rows:
        found.append(f"the dump has {outcome.dump_rows} rows, the evaluation counted {outcome.rows}")
    if not outcome.rows > 0:
        found.append("no sample was evaluated")
    return tuple(found)


def make_score(
    plan: RerunPlan,
    run: RunState,
    outcome: Outcome,
    lines: Sequence[PreflightLine],
    *,
    identity: str,
    data_sha256: str | None,
    now: float,
    calibrated: Calibrated | None = None,
) -> Score:
    """The score with its provenance and standing; an unknown preflight line that matters makes it `unproven`.

    So does a calibration that failed; one that repeated every output answers a doubt of the recipe.
    """
    attestation = outcome.attestation
    provenance = Provenance(
        source="rerun",
        final=plan.final,
        rows=outcome.rows,
        rows_expected=plan.rows_expected or outcome.rows_expected,
        recipe_declared=_declared(plan),
        recipe_attested=str(plan.recipe["name"]) if plan.recipe else UNQUANTIZED_RECIPE,
        weights_step=plan.step,
        weights_fingerprint=_text(attestation, "fingerprint_end"),
        checkpoint_fingerprint=_text(attestation, "checkpoint_fingerprint"),
        start_fingerprint=_text(attestation, "start_fingerprint"),
        data_sha256=data_sha256,
        dump_path=outcome.dump_path,
        rerun_id=identity,
        evidence=_evidence(plan, lines, now, calibrated),
        attestation=attestation,
    )
    bare = Score(plan.run, plan.step, plan.metric, outcome.value, now, provenance)
    standing, reasons = judge_score(bare, _with_recipe(run, plan, calibrated))
    standing, reasons = with_doubts(tuple(standing), tuple(reasons), lines, calibrated)
    return Score(plan.run, plan.step, plan.metric, outcome.value, now, provenance, standing, reasons)


def _with_recipe(run: RunState, plan: RerunPlan, calibrated: Calibrated | None) -> RunState:
    """The run with the recipe that its own configuration tells in full, or that a calibration repeated exactly."""
    inferred = plan.verl is not None and plan.verl.inferred and not (calibrated is not None and calibrated.exact)
    if run.config.recipe is not None or plan.training_recipe is None or inferred:
        return run
    return replace(run, config=replace(run.config, recipe=plan.training_recipe))


def with_doubts(
    standing: tuple[Standing, ...],
    reasons: tuple[str, ...],
    lines: Sequence[PreflightLine],
    calibrated: Calibrated | None = None,
) -> tuple[tuple[Standing, ...], tuple[str, ...]]:
    """The standing with what preflight could not know: noted, and `unproven` where the unknown matters."""
    unknown = [line for line in lines if line.state is LineState.UNKNOWN and line.name in NOTED_LINES]
    noted = tuple(f"preflight could not tell: {line.sentence}" for line in unknown)
    answered = RECIPE_LINES if calibrated is not None and calibrated.exact else frozenset()
    failed = calibrated is not None and not calibrated.stands
    if calibrated is not None:
        noted = (calibrated.sentence, *noted)
    if failed or any(line.doubt for line in unknown if line.name not in answered):
        kept = tuple(word for word in standing if word is not Standing.VALID)
        standing = kept if Standing.UNPROVEN in kept else (*kept, Standing.UNPROVEN)
    return standing, (*reasons, *noted)


NOTED_LINES = frozenset(
    {"unchanged", "trained-weights", "validation-set", "recipe", "versions", "tokenizer", "rows", "recipe-record"}
)
"""Preflight lines whose unknowns bear on what the score means; those about the machine don't."""


def _evidence(
    plan: RerunPlan, lines: Sequence[PreflightLine], now: float, calibrated: Calibrated | None
) -> tuple[Evidence, ...]:
    file = str(Path(plan.out_directory) / "preflight.json")
    seen = tuple(Evidence(f"preflight {line.name}: {line.state.value}: {line.sentence}", file) for line in lines)
    proof = Evidence("attestation made inside the process that evaluated", str(plan.attestation_path), None, now)
    said = calibrated.sentence if calibrated else BY_TRAINER if plan.by_trainer else plan.calibration_reason
    repeated = (Evidence(said, str(Path(plan.out_directory) / "calibration.json")),) if calibrated else ()
    if not calibrated and said:
        repeated = (Evidence(said),)
    return (proof, *repeated, *seen)


def _declared(plan: RerunPlan) -> str | None:
    if plan.training_recipe is not None:
        return str(plan.training_recipe["name"])
    return UNQUANTIZED_RECIPE if plan.training_quantized is False else None


def _text(document: dict[str, Any], key: str) -> str | None:
    value = document.get(key)
    return None if value is None else str(value)
