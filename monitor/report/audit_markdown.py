"""An audit as a Markdown document: what happened, the timeline, who is affected and who is cleared, with the evidence.

Text from outside stands in it as text: backticks, pipes, brackets and line breaks of a log line or a name can't make
markup of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from monitor.model.audit import Audit, AuditedRun, AuditEvidence, Comparison, RunKind, ScriptVerdict
from monitor.model.score import Standing
from monitor.report.audit_words import (
    at_primary,
    called,
    is_affected,
    labels,
    moment,
    place,
    run_name,
    standing_text,
    value_text,
    window_text,
)
from monitor.report.clean_text import clean
from monitor.report.comparisons import difference_text

MOST_EVIDENCE = 6
"""Pieces of evidence told of one run; the JSON has all of them."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def audit_markdown(audit: Audit) -> str:
    """The whole document."""
    parts = [
        ("What happened", _happened(audit)),
        ("Timeline", _timeline(audit)),
        ("Affected runs", _affected(audit)),
        ("Cleared runs", _cleared(audit)),
        ("Commits under suspicion", _windows(audit)),
        ("Comparisons", _comparisons(audit)),
        ("Scripts", _scripts(audit)),
        ("What to do", _actions(audit)),
        ("Cost", _cost(audit)),
        ("What was not read, and what was not believed", _problems(audit)),
    ]
    lines = ["# Audit of past experiments", ""]
    for title, part in parts:
        body = list(part)
        if body:
            lines += [f"## {title}", "", *body, ""]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text from outside, that no character of it is markup."""
    return _MARKUP.sub(r"\\\1", clean(text))


def code(text: str) -> str:
    """Text from outside as code: its backticks become apostrophes."""
    return f"`{clean(text).replace('`', chr(39)) or ' '}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _happened(audit: Audit) -> Iterator[str]:
    training = [run for run in audit.runs if run.kind is RunKind.TRAINING]
    affected = [run for run in training if is_affected(run)]
    if not audit.runs:
        yield "No run was found in what was given."
        return
    stand = len(training) - len(affected)
    yield f"Training runs: {len(training)}; final scores that stand: {stand}; that don't: {len(affected)}."
    yield ""
    for word in Standing:
        runs = [run for run in affected if word in run.standing]
        if runs:
            yield f"- **{word.value}**: {', '.join(escaped(run_name(run)) for run in runs)}"
    for run in audit.runs:
        if run.kind is RunKind.EVALUATION:
            yield f"- the evaluation {escaped(run.name)}: **{standing_text(run.standing)}**"


def _timeline(audit: Audit) -> Iterator[str]:
    events: list[tuple[float, str]] = []
    for window in audit.windows:
        subject = escaped(window.subject)
        events.append((window.since, f"commit {code(window.commit[:10])} ({subject}): {escaped(window.effect)}"))
        if window.until is not None:
            told = f"commit {code((window.reverted_by or '?')[:10])} ({escaped(window.reverted_subject or '?')})"
            events.append((window.until, f"{told} ends {code(window.commit[:10])}"))
    for run in audit.runs:
        if run.started_at is not None:
            zone = f", written {escaped(run.started_as_written)}" if run.started_as_written else ""
            zone += f", zone {escaped(run.zone)}" if run.zone else ""
            events.append((run.started_at, f"**{escaped(run_name(run))}** starts{zone}"))
    if events:
        rows = [(moment(at), what) for at, what in sorted(events)]
        yield from _table(("when", "what"), rows)
    unknown = [run_name(run) for run in audit.runs if run.started_at is None]
    if events and unknown:
        yield ""
        yield f"No start is told for {escaped(', '.join(unknown))}."


def _affected(audit: Audit) -> Iterator[str]:
    for run in audit.runs:
        if is_affected(run):
            yield from _one_run(run)


def _cleared(audit: Audit) -> Iterator[str]:
    for run in audit.runs:
        if not is_affected(run):
            yield from _one_run(run)


def _one_run(run: AuditedRun) -> Iterator[str]:
    yield f"### {escaped(run_name(run))}: {standing_text(run.standing)}"
    yield ""
    asked = run.quantization.asked or "unknown"
    planned = run.planned_steps if run.planned_steps is not None else "?"
    reached = run.reached_step if run.reached_step is not None else "?"
    noise = escaped(run.noise or "unknown")
    yield f"{escaped(run.name)}: step {reached} of {planned}, {run.ended.value}; recipe {escaped(asked)}, noise {noise}"
    if run.cleared:
        yield ""
        yield f"Cleared: {escaped(run.cleared)}."
    yield ""
    rows = [
        (
            str(item.step),
            value_text(item),
            standing_text(item.standing),
            escaped(item.produced_by),
            _where(item.evidence),
        )
        for item in at_primary(run)
    ]
    if run.planned_steps is not None and run.final_score is None:
        rows.append((str(run.planned_steps), "missing", "", "", ""))
    yield from _table(("step", "score", "standing", "produced by", "seen in"), rows)
    yield ""
    reasons = [*run.reasons, *(reason for score in at_primary(run) for reason in score.reasons)]
    yield from (f"- {escaped(reason)}" for reason in dict.fromkeys(reasons))
    yield from (f"- {escaped(note)}" for note in run.notes)
    for item in run.evidence[:MOST_EVIDENCE]:
        yield f"- evidence: {code(item.what)} {_where((item,))}".rstrip()
    yield ""


def _where(evidence: Sequence[AuditEvidence]) -> str:
    return next((code(place(item)) for item in evidence if item.file), "")


def _windows(audit: Audit) -> Iterator[str]:
    if not audit.windows:
        return
    yield "A window is suspicion: another trainer's class may have run, or another checkout. The run's log decides."
    yield ""
    names = labels(audit)
    for window in audit.windows:
        yield f"- {code(window.commit[:10])} {escaped(window.subject)}, {window_text(window)}"
        yield f"  - {escaped(window.effect)}"
        inside = ", ".join(called(names, name) for name in window.runs) or "none"
        yield f"  - runs that started inside: {escaped(inside)}"
        yield from (f"  - {escaped(note)}" for note in window.notes)


def _comparisons(audit: Audit) -> Iterator[str]:
    names = labels(audit)
    invalid = [item for item in audit.comparisons if not item.holds]
    sound = [item for item in audit.comparisons if item.holds]
    for title, items in (("Invalid", invalid), ("Those that hold", sound)):
        if items:
            yield f"### {title}"
            yield ""
            head = ("score", "against", "difference", "why" if title == "Invalid" else "meaning", "baseline")
            yield from _table(head, [_comparison_row(item, names) for item in items])
            yield ""


def _comparison_row(item: Comparison, names: dict[str, str]) -> tuple[str, ...]:
    why = "; ".join(item.reasons) if not item.holds else f"{item.meaning} ({'; '.join(item.reasons)})"
    return (
        escaped(f"{called(names, item.left)} step {item.left_step}"),
        escaped(f"{called(names, item.right)} step {item.right_step}"),
        difference_text(item).replace("[", r"\[").replace("]", r"\]"),
        escaped(why),
        escaped(called(names, item.baseline)) if item.baseline else "none is valid",
    )


def _scripts(audit: Audit) -> Iterator[str]:
    words = {True: "safe", False: "**unsafe**", None: "can't be told"}
    for verdict in sorted(audit.scripts, key=lambda item: (item.safe is True, item.path)):
        yield f"- {code(verdict.path)}: {words[verdict.safe]}. {escaped(verdict.sentence)}"
        yield from (f"  - change: {code(change)}" for change in verdict.changes)
        yield from _script_evidence(verdict)


def _script_evidence(verdict: ScriptVerdict) -> Iterator[str]:
    for item in verdict.evidence[:2]:
        yield f"  - {code(item.what)} {_where((item,))}".rstrip()


def _actions(audit: Audit) -> Iterator[str]:
    for number, action in enumerate(audit.actions, 1):
        yield f"{number}. {escaped(action.sentence)}" + (f": {code(action.command)}" if action.command else "")


def _cost(audit: Audit) -> Iterator[str]:
    if audit.cost is None or not (audit.cost.by_run or audit.cost.gpu_hours):
        return
    hours = "unknown" if audit.cost.gpu_hours is None else f"{audit.cost.gpu_hours:g} GPU-hours"
    yield f"Wasted: **{hours}** ({escaped(audit.cost.basis)})."
    yield ""
    yield from _table(("run", "GPU-hours", "basis"), [tuple(map(escaped, row)) for row in audit.cost.by_run])


def _problems(audit: Audit) -> Iterator[str]:
    for problem in audit.problems:
        cure = f" ({escaped(problem.cure)})" if problem.cure else ""
        yield f"- {code(problem.file)}: {escaped(problem.problem)}{cure}"
    for path in audit.testimony:
        yield f"- {code(path)}: prose, read as testimony and never as proof"
