"""The short form of `benchmarks.terminal_kills`: every way to die, at random moments; nothing is lost or left over."""

from __future__ import annotations

from benchmarks.terminal_kills import WAYS, measure


def test_kills_at_random_moments_leave_run_ledger_and_machine_whole() -> None:
    outcome = measure(kills=2 * len(WAYS), seed=7)
    assert outcome["kills"] == dict.fromkeys(outcome["kills"], 2)
    assert outcome["committed"] > 0
    assert outcome["whole"], outcome
