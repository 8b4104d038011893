"""An audit for the terminal: a line a run, why with the places it was seen, the commits, comparisons, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.model.audit import Audit, AuditedRun, RunKind
from monitor.model.score import Standing
from monitor.report.audit_words import (
    at_primary,
    called,
    labels,
    place,
    standing_text,
    value_text,
    window_text,
)
from monitor.report.clean_text import clean
from monitor.report.comparisons import difference_text

NAME_WIDTH = 40
MOST_SCORES = 6
MOST_EVIDENCE = 4
MOST_COMPARISONS = 40
MOST_PROBLEMS = 20
SIGNS = {Standing.VALID: "+", Standing.UNPROVEN: "?"}
"""A sign beside each word; every other standing has `x`."""


def audit_text(audit: Audit) -> str:
    """Some lines a run, every one safe to print; all of it, with all the evidence, is in the Markdown and the JSON."""
    parts = (_table, _runs, _windows, _comparisons, _scripts, _actions, _cost, _problems)
    blocks = ["\n".join(clean(line) for line in part(audit)) for part in parts]
    return "\n\n".join(block for block in blocks if block)


def _table(audit: Audit) -> Iterator[str]:
    if not audit.runs:
        yield "no run was found in these files"
        return
    names = [_name(run) for run in audit.runs]
    width = min(max(3, *map(len, names)), NAME_WIDTH)
    yield f"  {'run':<{width}}  {'steps':>9}  {'score':>9}  {'of step':>7}  standing"
    for name, run in zip(names, audit.runs):
        score = run.final_score or run.reported_score
        value, step = (value_text(score), str(score.step)) if score is not None else ("-", "-")
        steps = f"{_number(run.reached_step)}/{_number(run.planned_steps)}"
        words = standing_text(run.standing)
        yield f"{_sign(run)} {name[:width]:<{width}}  {steps:>9}  {value:>9}  {step:>7}  {words}"


def _name(run: AuditedRun) -> str:
    return (run.label or run.name) if run.kind is RunKind.TRAINING else run.name


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _sign(run: AuditedRun) -> str:
    signs = {SIGNS.get(word, "x") for word in run.standing} or {"?"}
    return next(sign for sign in ("x", "?", "+") if sign in signs)


def _runs(audit: Audit) -> Iterator[str]:
    for number, run in enumerate(audit.runs):
        if number:
            yield ""
        label = f" ({run.label})" if run.label and run.label != run.name else ""
        yield f"{run.name}{label}"
        yield from _scores(run)
        yield from (f"    {reason}" for reason in run.reasons)
        if run.cleared:
            yield f"    cleared: {run.cleared}"
        yield from (f"    note: {note}" for note in run.notes)
        for item in run.evidence[:MOST_EVIDENCE]:
            yield f"    evidence: {item.what[:110]} ({place(item) or 'no file'})"


def _scores(run: AuditedRun) -> Iterator[str]:
    scores = at_primary(run)
    shown = scores if len(scores) <= MOST_SCORES else [scores[0], *scores[-(MOST_SCORES - 1) :]]
    for score in shown:
        where = next((place(item) for item in score.evidence if item.file), "")
        yield f"    step {score.step:>5}  {value_text(score):>9}  {standing_text(score.standing):<26}  {where}".rstrip()
    if run.planned_steps is not None and run.kind is RunKind.TRAINING and run.final_score is None:
        yield f"    step {run.planned_steps:>5}  {'missing':>9}"
    if len(scores) > len(shown):
        yield f"    ({len(scores) - len(shown)} scores of steps between are left out)"


def _windows(audit: Audit) -> Iterator[str]:
    if not audit.windows:
        return
    yield "commits that took the final validation away (suspicion; the logs decide)"
    names = labels(audit)
    for window in audit.windows:
        yield f"  {window.commit[:10]} {window.subject}: {window_text(window)}"
        yield f"      {window.effect}"
        if window.runs:
            yield f"      runs that started inside: {_called(names, window.runs)}"
        yield from (f"      {note}" for note in window.notes)


def _called(names: dict[str, str], runs: Sequence[str]) -> str:
    return ", ".join(called(names, name) for name in runs)


def _comparisons(audit: Audit) -> Iterator[str]:
    if not audit.comparisons:
        return
    yield "comparisons"
    names = labels(audit)
    ordered = sorted(audit.comparisons, key=lambda item: item.holds)
    for item in ordered[:MOST_COMPARISONS]:
        sign, word = ("+", item.meaning) if item.holds else ("x", "does not hold")
        left, right = called(names, item.left), called(names, item.right)
        pair = f"{left} step {item.left_step} against {right} step {item.right_step}"
        yield f"  {sign} {pair}: {difference_text(item)}: {word}"
        yield from (f"      {reason}" for reason in item.reasons)
        if not item.holds:
            baseline = called(names, item.baseline) if item.baseline else "none is valid"
            yield f"      the baseline to hold it against: {baseline}"
    if len(ordered) > MOST_COMPARISONS:
        yield f"  … {len(ordered) - MOST_COMPARISONS} more (--json has all)"


def _scripts(audit: Audit) -> Iterator[str]:
    doubtful = [verdict for verdict in audit.scripts if verdict.safe is not True]
    if not audit.scripts:
        return
    yield f"scripts: {len(audit.scripts)} judged, {len(doubtful)} not safe or not known to be"
    for verdict in sorted(doubtful, key=lambda item: (item.safe is None, item.path)):
        yield f"  {'?' if verdict.safe is None else 'x'} {verdict.path}: {verdict.sentence}"
        yield from (f"      {change}" for change in verdict.changes)


def _actions(audit: Audit) -> Iterator[str]:
    if not audit.actions:
        return
    yield "what to do"
    for number, action in enumerate(audit.actions, 1):
        yield f"  {number}. {action.sentence}"
        if action.command:
            yield f"     {action.command}"


def _cost(audit: Audit) -> Iterator[str]:
    if audit.cost is None or not (audit.cost.by_run or audit.cost.gpu_hours):
        return
    hours = "unknown" if audit.cost.gpu_hours is None else f"{audit.cost.gpu_hours:g} GPU-hours"
    yield f"wasted: {hours} ({audit.cost.basis})"


def _problems(audit: Audit) -> Iterator[str]:
    if audit.problems:
        yield "what could not be read, or only in part"
    for problem in audit.problems[:MOST_PROBLEMS]:
        yield f"  {problem.file}: {problem.problem}" + (f"; {problem.cure}" if problem.cure else "")
    if len(audit.problems) > MOST_PROBLEMS:
        yield f"  … {len(audit.problems) - MOST_PROBLEMS} more (--json has all)"
    for path in audit.testimony[:MOST_PROBLEMS]:
        yield f"  {path}: prose; testimony, not proof"
