"""A verdict as text for people: the sentence first, then the chain, the evidence, what to do. Returns strings."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.model.finding import Finding, Verdict, VerdictWord
from monitor.model.snapshot import RunPosition
from monitor.report.clean_text import clean

SIGNS = {
    VerdictWord.HEALTHY: "+",
    VerdictWord.STALL: "~",
    VerdictWord.HANG: "!",
    VerdictWord.UNKNOWN: "?",
    VerdictWord.ENDED: ".",
}
"""A sign beside each word, so that state is never told by colour alone."""


def verdict_text(position: RunPosition, verdict: Verdict, bundle: str | None) -> str:
    """Some lines, the most telling first."""
    return "\n".join(clean(line) for line in _lines(position, verdict, bundle))


def position_text(position: RunPosition) -> str:
    """`step 29/29, testing, validation 131/256 samples`."""
    parts = [f"step {_number(position.step)}/{_number(position.total_steps)}"]
    if position.phase:
        parts.append(position.phase)
    if position.validation_step is not None:
        done, total = _number(position.validation_done), _number(position.validation_total)
        parts.append(f"validation at step {position.validation_step}: {done}/{total} samples")
    return ", ".join(parts)


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _lines(position: RunPosition, verdict: Verdict, bundle: str | None) -> Iterator[str]:
    yield f"{SIGNS[verdict.word]} {verdict.word.value.upper()}  {position.name}  {position_text(position)}"
    for reason in verdict.reasons:
        yield f"  {reason}"
    for finding in verdict.findings:
        yield from _finding_lines(finding)
    if bundle:
        yield f"  bundle: {bundle}"


def _finding_lines(finding: Finding) -> Iterator[str]:
    word = "proved" if finding.proved else "suspected"
    seconds = f", {finding.seconds_to_proof:.1f} s after the last progress" if finding.seconds_to_proof else ""
    yield f"  {finding.hang_class} ({word}{seconds}): {finding.sentence}"
    if finding.file:
        yield f"    at {finding.file}:{finding.line}"
    for link in finding.chain:
        yield f"    {link.waiter} waits for {link.waits_for}: {link.why}"
    for evidence in finding.evidence:
        place = f" ({evidence.file}:{evidence.line})" if evidence.file else ""
        yield f"    evidence: {evidence.what}{place}"
    if finding.advice:
        yield f"    advice: {finding.advice}"
