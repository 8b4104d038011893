"""The first glance: each answer's state and word for every condition of watch, verdict and scores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model.finding import Verdict, VerdictWord
from monitor.model.score import Standing
from monitor.tui import summary
from monitor.tui.live import parse
from monitor.tui.screen_data import RunRow, ScreenData
from tests.tui import examples


def saying(word: VerdictWord, *reasons: str, **changes: object) -> ScreenData:
    return examples.healthy(live=parse(examples.document(examples.state(**changes), Verdict(word, (), reasons))))


@pytest.mark.parametrize(
    ("data", "state", "word"),
    [
        (examples.healthy(), "ok", "healthy"),
        (examples.hanging(), "bad", "HANG"),
        (saying(VerdictWord.STALL, "nothing moved for 40 s"), "warn", "STALL"),
        (saying(VerdictWord.UNKNOWN, "a process lies on another node"), "unknown", "unknown"),
        (saying(VerdictWord.ENDED, ended_at=examples.NOW - 60, ended_how="finished"), "info", "ended"),
        (saying(VerdictWord.ENDED, ended_at=examples.NOW - 60, ended_how="killed"), "warn", "ended"),
        (examples.healthy(live=None), "unknown", "unknown"),
        (examples.healthy(watch_alive=False), "unknown", "unknown"),
        (examples.hanging(now=examples.NOW + 60), "unknown", "unknown"),
    ],
)
def test_alive(data: ScreenData, state: str, word: str) -> None:
    assert summary.alive(data)[:2] == (state, word)


def test_an_unknown_verdict_says_its_reason() -> None:
    assert summary.alive(saying(VerdictWord.UNKNOWN, "because X")).sentence == "because X"


def test_a_silent_watch_is_no_healthy_run() -> None:
    answer = summary.alive(examples.healthy(now=examples.NOW + 60))
    assert "the watch wrote nothing since 1 min" in answer.sentence
    assert "last known: healthy" in answer.sentence


def test_how_far_names_phase_age_and_limit() -> None:
    answer = summary.far(examples.healthy())
    assert (answer.word, answer.sentence) == ("step 29/29", "testing 7 s so far (limit 30 s)")


def test_time_left_is_an_estimate_in_coarse_steps_and_only_of_a_healthy_run() -> None:
    early = parse(examples.document(examples.state(step=10, spans=(), started_at=examples.NOW - 40)))
    assert summary.time_left(early, examples.NOW) == 80.0
    stuck = replace(early, verdict=Verdict(VerdictWord.STALL))
    assert summary.time_left(stuck, examples.NOW) is None


MISSING = RunRow(examples.RUN, 0.0, "demo", 29, 29, None, None, (Standing.MISSING_FINAL,))
PARTIAL = examples.score(29, 0.5, Standing.PARTIAL, reasons=("131 of 256 samples",))


@pytest.mark.parametrize(
    ("data", "state", "word"),
    [
        (examples.healthy(), "info", "not yet"),
        (examples.hanging(), "bad", "missing-final"),
        (examples.reran(), "ok", "valid"),
        (examples.hanging(reruns=(examples.rerun_row("evaluating", 3),)), "info", "rerun"),
        (examples.healthy(scores=(PARTIAL,)), "warn", "partial"),
        (examples.healthy(scores=(), runs=(MISSING,)), "bad", "missing-final"),
    ],
)
def test_trust(data: ScreenData, state: str, word: str) -> None:
    assert summary.trust(data)[:2] == (state, word)


def test_a_valid_score_of_an_earlier_step_is_not_taken_for_the_final_one() -> None:
    early = examples.score(20, 0.5, Standing.VALID)
    assert summary.trust(examples.healthy(scores=(early,))).state != "ok"
