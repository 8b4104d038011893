"""Scores as a document (schema 1) and as a table: every number with its step and its standing, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.ledger.standings import judge_run
from monitor.model.audit import Comparison
from monitor.model.json_form import to_json
from monitor.model.run import RunState
from monitor.model.score import Score, Standing
from monitor.report.clean_text import clean
from monitor.report.comparisons import comparison_document, comparison_lines
from monitor.report.verdict_json import evidence_document, utc

SCHEMA = 1


def score_document(score: Score) -> dict[str, Any]:
    """One score with its provenance; the attestation stands whole in it."""
    provenance = to_json(score.provenance)
    provenance["evidence"] = [evidence_document(item) for item in score.provenance.evidence]
    return {
        "run": score.run,
        "step": score.step,
        "metric": score.metric,
        "value": score.value,
        "recorded_at": utc(score.recorded_at),
        "standing": [word.value for word in score.standing],
        "reasons": list(score.reasons),
        "revision": score.revision,
        "correction": score.correction,
        "provenance": provenance,
    }


def scores_document(
    rows: Sequence[tuple[RunState, Sequence[Score]]], comparisons: Sequence[Comparison] = ()
) -> dict[str, Any]:
    """Every run with its scores and standing, and which comparisons hold."""
    return {
        "schema": SCHEMA,
        "runs": [run_document(state, scores) for state, scores in rows],
        "comparisons": [comparison_document(comparison) for comparison in comparisons],
    }


def run_document(state: RunState, scores: Sequence[Score]) -> dict[str, Any]:
    """One run. `final_stands`: a score of the last step is valid."""
    standing, reasons = judge_run(state, scores)
    return {
        "name": state.name,
        "planned_steps": state.final_step,
        "started_at": utc(state.started_at),
        "ended_at": utc(state.ended_at),
        "scores": [score_document(score) for score in scores],
        "standing": [word.value for word in standing],
        "reasons": list(reasons),
        "final_stands": any(score.step == state.final_step and score.standing == (Standing.VALID,) for score in scores),
    }


def scores_text(document: dict[str, Any], comparisons: Sequence[Comparison] = ()) -> str:
    """A table a run, widest column first cut, standing in words; then which comparisons hold."""
    lines: list[str] = []
    for run in document["runs"]:
        standing = ", ".join(run["standing"])
        lines.append(clean(f"{run['name']}  {run['planned_steps'] or '?'} steps{'  ' + standing if standing else ''}"))
        for reason in run["reasons"]:
            lines.append(clean(f"    {reason}"))
        for score in run["scores"]:
            words = ", ".join(score["standing"])
            source = score["provenance"]["source"]
            lines.append(
                clean(f"  step {score['step']:>5}  {score['value']:.4f}  {words:<24} {source:<9} {score['metric']}")
            )
    if comparisons:
        lines += ["", "which comparisons hold", *comparison_lines(comparisons)]
    return "\n".join(lines) if lines else "no run in the ledger yet"
