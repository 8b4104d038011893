"""What the audit's reports share: values, names, places and times as text that is safe on any screen."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from monitor.model.audit import Audit, AuditedRun, AuditedScore, AuditEvidence, RunKind, SkipWindow
from monitor.model.score import Standing
from monitor.report.clean_text import clean
from monitor.report.comparisons import is_share

STANDS = (Standing.VALID,)


def run_name(run: AuditedRun) -> str:
    """`E13j`, or the whole name; an evaluation says so."""
    name = run.label or run.name
    return f"{name} ({run.name})" if run.kind is RunKind.EVALUATION and run.label else name


def value_text(score: AuditedScore) -> str:
    """`73.31 %` for shares, else the number."""
    return f"{100 * score.value:.2f} %" if is_share(score.metric) else f"{score.value:.4f}"


def standing_text(standing: Sequence[Standing]) -> str:
    """`not-final, unproven`; `unjudged` where nothing was."""
    return ", ".join(word.value for word in standing) or "unjudged"


def moment(at: float | None) -> str:
    """UTC to the second; `unknown` for none, and for the 0 of a window without a known begin."""
    if not at:
        return "unknown"
    try:
        return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "unknown"


def place(evidence: AuditEvidence) -> str:
    """`run.log:69`, empty where the evidence names no file."""
    if evidence.file is None:
        return ""
    return clean(f"{evidence.file}:{evidence.line}" if evidence.line is not None else evidence.file)


def window_text(window: SkipWindow) -> str:
    """From when until when, in UTC."""
    end = moment(window.until) if window.until is not None else "still so"
    return f"{moment(window.since)} to {end}"


def is_affected(run: AuditedRun) -> bool:
    """True for a run whose final score doesn't stand."""
    return not run.final_stands


def at_primary(run: AuditedRun) -> list[AuditedScore]:
    """The scores a person asks for, by step."""
    return sorted((score for score in run.scores if score.primary), key=lambda score: score.step)


def labels(audit: Audit) -> dict[str, str]:
    """Run name → how a person calls it."""
    return {run.name: run.label or run.name for run in audit.runs if run.kind is RunKind.TRAINING}


def called(names: dict[str, str], name: str) -> str:
    """The label of a run by its name."""
    return names.get(name, name)
