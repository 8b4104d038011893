"""What the watch prints of a run that stands still."""

from __future__ import annotations

from dataclasses import replace

from monitor.model.finding import Culprit, Finding, Verdict, VerdictWord
from monitor.watch.lines import standing_lines

HEALTHY = Verdict(VerdictWord.HEALTHY)
SUSPICION = Finding("tool-stuck", False, "an agent loop waits", Culprit(7), "/x.py", 3, (), ())
STALL = Verdict(VerdictWord.STALL, (), ("nothing moved for 40 s in phase gen; its learned limit is 34 s",))


def _said(verdict: Verdict, before: Verdict) -> list[str]:
    return [line.partition(" ")[2] for line in standing_lines(verdict, before)]


def test_a_stall_is_said_once_with_its_reason_and_its_end() -> None:
    assert _said(STALL, HEALTHY) == [f"stall: {STALL.reasons[0]}"]
    assert _said(replace(STALL, reasons=("nothing moved for 41 s",)), STALL) == []
    assert _said(HEALTHY, STALL) == ["the run moves again"]


def test_a_suspicion_is_said_in_the_place_of_the_bare_stall() -> None:
    assert _said(replace(STALL, findings=(SUSPICION,)), HEALTHY) == ["suspected tool-stuck: an agent loop waits"]
    starved = replace(SUSPICION, hang_class="replay-starved")
    both = replace(STALL, findings=(SUSPICION,), suspicions=(starved,))
    assert _said(both, STALL) == ["suspected tool-stuck: an agent loop waits"]


def test_what_stands_still_before_the_silence_is_too_long_is_no_news() -> None:
    unknown = Verdict(VerdictWord.UNKNOWN, (), ("it waits on a socket",), (SUSPICION,))
    assert _said(unknown, HEALTHY) == []
    assert _said(replace(HEALTHY, suspicions=(SUSPICION,)), HEALTHY) == []


def test_a_proof_is_not_told_here() -> None:
    hang = Verdict(VerdictWord.HANG, (replace(SUSPICION, proved=True),))
    assert _said(hang, STALL) == []
