"""What follows from an audit: reruns, scripts to mend, the guard. Words and commands for a person; nothing is run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from monitor.model.audit import Action, AuditedRun, RunKind, ScriptVerdict, SkipWindow
from monitor.model.score import Standing


def actions_for(
    runs: Sequence[AuditedRun], scripts: Sequence[ScriptVerdict], windows: Sequence[SkipWindow]
) -> tuple[Action, ...]:
    """The most urgent first: scores to make again, then what would make the next ones wrong."""
    found = list(_reruns(runs))
    for verdict in scripts:
        if verdict.safe is False:
            changes = "; ".join(verdict.changes)
            found.append(Action("script", f"do not use {verdict.path}: {verdict.sentence}. Change: {changes}"))
    for window in windows:
        if window.until is None:
            found.append(
                Action(
                    "investigate",
                    f'"{window.subject}" ({window.commit[:9]}) is still in the trainer: take it out, and prove the '
                    "hang that it hides with `laststep dump` while it hangs",
                )
            )
    if any(Standing.MISSING_FINAL in run.standing for run in runs):
        found.append(
            Action("guard", "start runs with the final-validation guard, so that one without it can't look complete",
                   command="laststep run -- COMMAND")
        )  # fmt: skip
    return tuple(found)


def _reruns(runs: Sequence[AuditedRun]) -> Iterator[Action]:
    for run in runs:
        if run.kind is RunKind.EVALUATION or run.final_stands or run.planned_steps is None:
            continue
        if run.superseded or run.filled_by is not None:
            continue
        words = ", ".join(word.value for word in run.standing)
        step = run.planned_steps
        there = (
            "" if step in run.checkpoints or not run.checkpoints else f" (no complete checkpoint of step {step} here)"
        )
        if run.reached_step is not None and run.reached_step < step:
            there = f" (its evidence ends at step {run.reached_step}: it needs a checkpoint of step {step}, or to be"
            there += " trained again)"
        asked = run.quantization.asked
        quantized = asked if asked not in (None, "none") else None
        how = f" with {quantized}, attested" if quantized else ""
        command = f"laststep rerun {shlex.quote(run.name)} --step {step}"
        if quantized:
            command += f" --quant {shlex.quote(quantized)}"
        sentence = f"score step {step} of {run.label or run.name} again{how}: {words}{there}"
        yield Action("rerun", sentence, run.name, step, command)
