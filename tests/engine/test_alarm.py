"""The verdict over time: when stacks are read, what is said, and what is withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from monitor.engine.alarm import Alarm, AlarmChange
from monitor.model.finding import Culprit, Finding, Verdict, VerdictWord
from monitor.model.reading import SourceError
from monitor.model.run import Progress, RunConfig, RunState
from monitor.model.snapshot import RunPosition, Snapshot

FINDING = Finding("self-get", True, "it waits for itself", Culprit(7), "/x.py", 3, (), ())
HANG = Verdict(VerdictWord.HANG, (FINDING,))
HEALTHY = Verdict(VerdictWord.HEALTHY)
UNKNOWN = Verdict(VerdictWord.UNKNOWN, (), ("the chain ends at an idle loop",))


class FakeCamera:
    """Snapshots without processes, at the fake clock's time."""

    def __init__(self) -> None:
        self.taken = 0
        self.now = 0.0
        self.fails = False

    def take(self, position: RunPosition) -> Snapshot:
        if self.fails:
            raise SourceError("Ray is gone")
        self.taken += 1
        return Snapshot(self.now, "host", position)


class Scene:
    """An alarm, a clock and a judge that says what it is told once there are two snapshots."""

    def __init__(self, verdict: Verdict, limit: float | None = None) -> None:
        self.camera = FakeCamera()
        self.says = verdict
        self.alarm = Alarm(self.camera.take, 3.0, self.judge)
        self.state = RunState("run", RunConfig(), 0.0, phase="testing", progress=Progress(100.0, "sample 1", 1))
        self.limit = limit

    def judge(self, snapshots: Sequence[Snapshot]) -> Verdict:
        return self.says if len(snapshots) >= 2 else HEALTHY

    def at(self, seconds: float, moved_at: float = 100.0) -> AlarmChange:
        """One tick, `seconds` after 100.0, the run having last moved at `moved_at`."""
        self.camera.now = 100.0 + seconds
        self.state = replace(self.state, progress=Progress(moved_at, "sample", 1))
        position = RunPosition("run", phase="testing", phase_limit_seconds=self.limit)
        return self.alarm.tick(self.state, position, 100.0 + seconds)


def test_while_facts_move_no_stack_is_read() -> None:
    scene = Scene(HANG)
    for second in range(60):
        scene.at(second, moved_at=100.0 + second - 1)
    assert scene.camera.taken == 0


def test_stacks_are_read_3_5_and_12_seconds_after_the_last_fact_moved() -> None:
    scene = Scene(HEALTHY)
    taken_at = []
    for tenth in range(0, 130):
        before = scene.camera.taken
        scene.at(tenth / 10)
        if scene.camera.taken > before:
            taken_at.append(tenth / 10)
    assert taken_at == [3.0, 5.0, 12.0]


def test_a_hang_is_raised_once_and_timed_from_the_last_progress() -> None:
    scene = Scene(HANG)
    raised = [change for second in range(20) if (change := scene.at(second)).raised]
    assert len(raised) == 1
    assert raised[0].raised[0].seconds_to_proof == pytest.approx(5.0)
    assert scene.alarm.verdict.word is VerdictWord.HANG
    assert scene.alarm.verdict.findings[0].seconds_to_proof == pytest.approx(5.0)


def test_one_unreadable_snapshot_does_not_free_a_proved_hang() -> None:
    scene = Scene(HANG)
    for second in range(8):
        scene.at(second)
    scene.says = UNKNOWN
    scene.at(12)
    assert scene.alarm.verdict.word is VerdictWord.HANG


def test_a_hang_that_resolves_itself_is_withdrawn_once() -> None:
    scene = Scene(HANG)
    for second in range(8):
        scene.at(second)
    change = scene.at(9, moved_at=108.5)
    assert change.withdrawn == (replace(FINDING, seconds_to_proof=5.0),)
    assert scene.alarm.verdict.word is VerdictWord.HEALTHY
    assert scene.at(10, moved_at=108.5).withdrawn == ()


def test_unknown_is_said_only_when_three_snapshots_agree() -> None:
    scene = Scene(UNKNOWN)
    words = {second: (scene.at(second), scene.alarm.verdict.word)[1] for second in (3, 5, 12)}
    assert words == {3: VerdictWord.HEALTHY, 5: VerdictWord.HEALTHY, 12: VerdictWord.UNKNOWN}


def test_silence_beyond_the_learned_limit_is_a_stall_and_no_hang() -> None:
    scene = Scene(HEALTHY, limit=40.0)
    scene.at(39)
    assert scene.alarm.verdict.word is VerdictWord.HEALTHY
    scene.at(41)
    assert scene.alarm.verdict.word is VerdictWord.STALL
    assert scene.alarm.verdict.findings == ()
    assert "40 s" in scene.alarm.verdict.reasons[0]


def test_a_stall_names_the_suspicion_that_stood_beside_a_healthy_verdict() -> None:
    suspicion = FINDING.suspected()
    scene = Scene(replace(HEALTHY, suspicions=(suspicion,)), limit=40.0)
    for second in (3, 6, 41):
        scene.at(second)
    assert (scene.alarm.verdict.word, scene.alarm.verdict.findings) == (VerdictWord.STALL, (suspicion,))


def test_a_stall_without_a_learned_limit_names_none() -> None:
    scene = Scene(HEALTHY)
    scene.at(2000)
    assert scene.alarm.verdict.word is VerdictWord.STALL
    assert "nothing was learned" in scene.alarm.verdict.reasons[0]


def test_a_snapshot_that_fails_is_said_and_the_watch_goes_on() -> None:
    scene = Scene(HANG)
    scene.camera.fails = True
    scene.at(3)
    assert scene.alarm.unknown is not None
    assert "Ray is gone" in scene.alarm.unknown.because
    scene.camera.fails = False
    scene.at(6)
    scene.at(12)
    assert scene.alarm.unknown is None
    assert scene.alarm.verdict.word is VerdictWord.HANG


def test_a_run_that_ends_while_hung_keeps_its_findings() -> None:
    scene = Scene(HANG)
    for second in range(8):
        scene.at(second)
    scene.state = replace(scene.state, ended_at=108.0, ended_how="killed")
    change = scene.at(9, moved_at=108.0)
    assert change.withdrawn == ()
    assert scene.alarm.verdict.word is VerdictWord.ENDED
    assert scene.alarm.verdict.findings[0].hang_class == "self-get"
