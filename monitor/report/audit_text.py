"""The audit as a table for a terminal: a line a run, then why, the commits, the comparisons, what to do."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from monitor.model.audit import Audit, AuditedRun, AuditedScore, Comparison, SkipWindow
from monitor.model.score import Standing
from monitor.report.clean_text import clean

SIGNS = {Standing.VALID: "+", Standing.UNPROVEN: "?"}
"""A sign beside each word; every other standing has `!`."""
MOST_COMPARISONS = 40
MOST_PROBLEMS = 20


def audit_text(audit: Audit) -> str:
    """Some lines a run; every one safe to print."""
    return "\n".join(clean(line) for line in _lines(audit))


def _lines(audit: Audit) -> Iterator[str]:
    if not audit.runs:
        yield "no run shows in these files"
    else:
        yield from _table(audit.runs)
        yield ""
        for run in audit.runs:
            yield from _run(run)
    if audit.windows:
        yield "suspect commits (suspicion; the log decides)"
        for window in audit.windows:
            yield from _window(window)
    yield from _comparisons(audit.comparisons)
    unsafe = [verdict for verdict in audit.scripts if verdict.safe is False]
    if unsafe:
        yield "scripts that are not safe to use"
        yield from (f"  ! {verdict.path}: {verdict.sentence}" for verdict in unsafe)
    if audit.actions:
        yield "what follows"
        for action in audit.actions:
            yield f"  {action.kind}: {action.sentence}"
            if action.command:
                yield f"      {action.command}"
    if audit.cost is not None and audit.cost.gpu_hours:
        yield f"wasted: {audit.cost.gpu_hours:g} GPU-hours ({audit.cost.basis})"
    yield from _problems(audit)


def _table(runs: Sequence[AuditedRun]) -> Iterator[str]:
    width = max(3, *(len(run.label or run.name) for run in runs)) if runs else 3
    width = min(width, 40)
    yield f"  {'run':<{width}}  {'steps':>9}  {'score':>8} {'of step':>7}  standing"
    for run in runs:
        score = run.final_score or run.reported_score
        value = f"{score.value * 100:7.2f}%" if score is not None and 0 <= score.value <= 1 else _plain(score)
        step = str(score.step) if score is not None else "-"
        reached = "?" if run.reached_step is None else str(run.reached_step)
        steps = f"{reached}/{run.planned_steps or '?'}"
        name = (run.label or run.name) if run.kind.value == "training" else run.name
        words = ", ".join(word.value for word in run.standing)
        yield f"{_sign(run)} {name[:width]:<{width}}  {steps:>9}  {value:>8} {step:>7}  {words}"


def _plain(score: AuditedScore | None) -> str:
    return "-" if score is None else f"{score.value:.4g}"


def _sign(run: AuditedRun) -> str:
    signs = {SIGNS.get(word, "!") for word in run.standing}
    return "!" if "!" in signs else "?" if "?" in signs else "+"


def _run(run: AuditedRun) -> Iterator[str]:
    label = f" ({run.label})" if run.label and run.label != run.name else ""
    yield f"{run.name}{label}"
    for reason in run.reasons:
        yield f"    {reason}"
    if run.cleared:
        yield f"    cleared: {run.cleared}"
    for note in run.notes:
        yield f"    note: {note}"
    for item in run.evidence[:4]:
        place = f" ({item.file}:{item.line})" if item.line is not None else f" ({item.file})"
        yield f"    evidence: {item.what[:110]}{place}"
    yield ""


def _window(window: SkipWindow) -> Iterator[str]:
    until = "still in" if window.until is None else f"until {_utc(window.until)}"
    yield f"  {window.commit[:9]} {window.subject}: from {_utc(window.since)} {until}"
    if window.reverted_by:
        yield f"      taken out by {window.reverted_by[:9]} {window.reverted_subject or ''}"
    if window.runs:
        yield f"      runs that started inside: {', '.join(window.runs)}"
    for note in window.notes:
        yield f"      {note}"


def _utc(at: float) -> str:
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def _comparisons(comparisons: Sequence[Comparison]) -> Iterator[str]:
    if not comparisons:
        return
    yield "comparisons"
    for item in comparisons[:MOST_COMPARISONS]:
        sign = "+" if item.holds else "x"
        says = "holds" if item.holds else "does not hold"
        meaning = f", {item.meaning}" if item.meaning else ""
        yield f"  {sign} {item.left} against {item.right}: {item.difference * 100:+.2f} points, {says}{meaning}"
        yield from (f"      {reason}" for reason in item.reasons)
        if item.baseline and not item.holds:
            yield f"      the right baseline would be {item.baseline}"
    if len(comparisons) > MOST_COMPARISONS:
        yield f"  … {len(comparisons) - MOST_COMPARISONS} more (--json has all)"


def _problems(audit: Audit) -> Iterator[str]:
    if not audit.problems:
        return
    yield "files that could not be read, or only in part"
    for problem in audit.problems[:MOST_PROBLEMS]:
        yield f"  {problem.file}: {problem.problem}" + (f"; {problem.cure}" if problem.cure else "")
    if len(audit.problems) > MOST_PROBLEMS:
        yield f"  … {len(audit.problems) - MOST_PROBLEMS} more (--json has all)"
