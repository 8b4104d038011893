"""The family of eight runs and one evaluation as an audit of it would conclude, to be reported and counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.audit.cost import cost_of
from monitor.ledger.comparisons import of_audited, reported_comparisons
from monitor.model.audit import (
    Action,
    Audit,
    AuditedQuantization,
    AuditedRun,
    AuditedScore,
    AuditEvidence,
    FileProblem,
    RunEnd,
    RunKind,
    ScriptVerdict,
    SkipWindow,
)
from monitor.model.score import Standing

METRIC = "val-core/openai/gsm8k/acc/mean@1"
SKIP = "[WARN] Skipping final step validation to avoid known hang issue."
REASONS = {
    Standing.VALID: "valid: the engine's count of step 29 proves W4A4 in 196/196 layers",
    Standing.NOT_FINAL: "not-final: it is of step 20, the run's last is 29; only a score of step 29 is final",
    Standing.NOT_QUANTIZED: "not-quantized: the engine ran in bf16; a rerun with mxfp4_w4a4 would count",
    Standing.UNPROVEN: "unproven: the engine says nothing of its quantization; a rerun would attest it",
    Standing.MISSING_FINAL: "missing-final: the validation of step 29 was skipped; a rerun fills it",
    Standing.STALE_WEIGHTS: "stale-weights: it is at the base model's level; a rerun evaluates the checkpoint",
}


def score(step: int, value: float, *standing: Standing, **changes: Any) -> AuditedScore:
    """One score with the reasons of its standings."""
    seen = AuditEvidence(f"step:{step} - {METRIC}:{value}", "run.log", 10 + step)
    told = tuple(REASONS[word] for word in standing)
    return replace(AuditedScore(step, METRIC, value, standing, told, (seen,), "training", 1319, 1319), **changes)


def run(label: str, scores: tuple[AuditedScore, ...], *standing: Standing, **changes: Any) -> AuditedRun:
    """One run of 29 steps on 8 GPUs, its steps' seconds summing to about 70 minutes."""
    base = AuditedRun(
        name=f"mxfp4_w4a4_{label.lower()}",
        label=label,
        files=(f"{label}.log",),
        planned_steps=29,
        reached_step=29,
        ended=RunEnd.FINISHED,
        started_at=1768533838.0,
        started_as_written="2026-01-16 11:23:58",
        step_seconds=(144.0,) * 29,
        gpus=8,
        test_freq=20,
        quantization=AuditedQuantization(asked="mxfp4_w4a4"),
        scores=scores,
        standing=standing,
        reasons=tuple(REASONS[word] for word in standing),
        evidence=(AuditEvidence(SKIP, f"{label}.log", 69),) if Standing.MISSING_FINAL in standing else (),
    )
    return replace(base, **changes)


def valid(label: str, first: float, early: float, final: float, **changes: Any) -> AuditedRun:
    """A run whose final score stands."""
    rows = (score(0, first, Standing.NOT_FINAL), score(20, early, Standing.NOT_FINAL), score(29, final, Standing.VALID))
    return run(label, rows, Standing.VALID, **changes)


def missing(label: str, first: float, early: float | None, word: Standing, **changes: Any) -> AuditedRun:
    """A run whose final validation was skipped."""
    rows = [score(0, first, Standing.NOT_FINAL)]
    if early is not None:
        rows.append(score(20, early, Standing.NOT_FINAL, word))
    return run(label, tuple(rows), Standing.MISSING_FINAL, word, **changes)


def family() -> tuple[AuditedRun, ...]:
    """All of them."""
    unproven = Standing.UNPROVEN
    cut = {"ended": RunEnd.BROKEN_OFF, "reached_step": 19, "step_seconds": (146.5,) * 19}
    evaluation = AuditedRun(
        name="eval_e13j_val_only",
        label="E13j",
        kind=RunKind.EVALUATION,
        checkpoint_of="mxfp4_w4a4_e13j",
        checkpoint_step=29,
        scores=(score(29, 0.0849, Standing.STALE_WEIGHTS, Standing.NOT_QUANTIZED, produced_by="val_only"),),
        standing=(Standing.STALE_WEIGHTS, Standing.NOT_QUANTIZED),
    )
    return (
        valid("E13g", 0.0811, 0.6088, 0.7089, quantization=AuditedQuantization(asked="nvfp4_w4a4")),
        valid("E13h", 0.0796, 0.6073, 0.7142),
        missing("E13j", 0.0819, 0.7331, Standing.NOT_QUANTIZED),
        missing("E13k", 0.0796, 0.6596, unproven),
        missing("E13l", 0.0804, 0.5322, unproven),
        missing("E13m", 0.0796, 0.6937, unproven),
        missing("E13n", 0.0819, 0.6907, unproven),
        missing("E14a", 0.0804, None, unproven, **cut),
        evaluation,
    )


def audit() -> Audit:
    """All of it, with what follows."""
    runs = family()
    items = [item for run_ in runs if (item := of_audited(run_)) is not None]
    skip = SkipWindow(
        "8a8e9736a6fe5e06b67ce0761967d9042457484c",
        "fix: Skip final step validation to avoid Ray deadlock",
        "2026-01-16T03:33:24+08:00",
        1768505604.0,
        1768662600.0,
        "5e26d3549ccb217bdc2546d1907049c43528c808",
        "fix: restore final step validation",
        "in RayPPOTrainer.fit: on the last step no validation is called; taken back by 5e26d3549c",
        "RayPPOTrainer.fit",
        runs=tuple(item.name for item in runs if Standing.MISSING_FINAL in item.standing),
    )
    script = ScriptVerdict(
        "scripts/eval_checkpoint_verl_no_mxfp4.sh",
        RunKind.EVALUATION,
        False,
        "none",
        ("mxfp4_w4a4",),
        "unsafe for a checkpoint trained in mxfp4_w4a4: no quantization override",
        ("add +quant.enable=true +quant.format=mxfp4",),
        (AuditEvidence("trainer.val_only=True", "scripts/eval_checkpoint_verl_no_mxfp4.sh", 8),),
    )
    actions = (
        Action("rerun", "fill the final score of E13j", "mxfp4_w4a4_e13j", 29, "laststep rerun mxfp4_w4a4_e13j"),
    )
    problem = FileProblem("logs/torn.zst", "the stream ends early", "copy it again")
    summary = ("docs/ALL_EXPERIMENTS_SUMMARY.md",)
    return Audit(runs, reported_comparisons(items), (skip,), (script,), actions, cost_of(runs), (problem,), summary)
