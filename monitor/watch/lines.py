"""One line per fact, for tmux panes and log files. Pure: facts in, cleaned lines out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from monitor.engine.engine import Tick
from monitor.model.fact import Fact, FactKind
from monitor.model.finding import Finding, Verdict, VerdictWord
from monitor.report.clean_text import clean

REMEMBERED = 1000
"""Lines; a phase comes back a step later under another number."""


def clock_text(at: float) -> str:
    """Local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(at))


class Said:
    """What was said lately: console, file logger and hooks tell of the same thing, and it is said once."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def again(self, text: str) -> bool:
        """True where `text` was said before."""
        # Two clocks differ in the tenths of what a phase took.
        key = re.sub(r" after [\d.]+ s$", "", text)
        if key in self._texts:
            return True
        self._texts[key] = None
        if len(self._texts) > REMEMBERED:
            del self._texts[next(iter(self._texts))]
        return False


def lines_of(tick: Tick, said: Said) -> Iterator[str]:
    """What a tick brought, one line each; samples and calls are left to the screen."""
    for fact in tick.facts:
        text = fact_text(fact)
        if text and not said.again(text):
            yield f"{clock_text(fact.at)} {clean(text)}"
    now = clock_text(time.time())
    for finding in tick.raised:
        yield f"{now} HANG {finding.hang_class}: {clean(finding.sentence)}"
    for finding in tick.withdrawn:
        yield f"{now} withdrawn {finding.hang_class}: the run moves again"


def standing_lines(verdict: Verdict, before: Verdict) -> Iterator[str]:
    """What is new in `verdict` and not proved: a suspicion with its sentence, a stall, and its end."""
    now = clock_text(time.time())
    known = {finding.identity for finding in _suspected(before)}
    new = {finding.identity: finding for finding in _suspected(verdict) if finding.identity not in known}
    for finding in new.values():
        yield f"{now} suspected {finding.hang_class}: {clean(finding.sentence)}"
    if verdict.word is VerdictWord.STALL and before.word is not VerdictWord.STALL and not new:
        yield f"{now} stall: {clean('; '.join(verdict.reasons[:2]))}"
    if before.word is VerdictWord.STALL and verdict.word is VerdictWord.HEALTHY:
        yield f"{now} the run moves again"


def _suspected(verdict: Verdict) -> tuple[Finding, ...]:
    """Once the silence is longer than it should be; before that, what stands still for a moment is no news."""
    if verdict.word is not VerdictWord.STALL:
        return ()
    return tuple(finding for finding in verdict.findings if not finding.proved)


def fact_text(fact: Fact) -> str:
    """A fact as a short line; empty where it is not worth one."""
    data = fact.data
    if fact.kind is FactKind.PHASE_BEGIN:
        return f"step {fact.step} {fact.phase} began"
    if fact.kind is FactKind.PHASE_END:
        return f"step {fact.step} {fact.phase} ended after {data.get('seconds') or 0:.1f} s"
    if fact.kind is FactKind.SCORE:
        return f"step {fact.step} {data.get('metric')} {float(data.get('value') or 0.0):.6g}"
    if fact.kind is FactKind.CHECKPOINT and data.get("complete"):
        return f"step {fact.step} checkpoint complete in {data.get('path')}"
    if fact.kind is FactKind.DUMP:
        return f"step {fact.step} validation dump of {data.get('rows')} rows"
    if fact.kind is FactKind.RUN_END:
        return f"the run ended ({data.get('exit')})"
    if fact.kind in (FactKind.NOTICE, FactKind.GUARD):
        return str(data.get("text") or data.get("reason") or data.get("final_validation") or "")
    return ""
