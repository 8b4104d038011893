"""Progress in Ray's calls: only calls that the profile names, only when they begin or end."""

from __future__ import annotations

from dataclasses import replace

from monitor.model.snapshot import RayCall
from monitor.sources.call_facts import CallFacts
from monitor.sources.trainer_profile import load_profile

QUEUED = "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY"


def _call(number: int, function: str = "RolloutServer.generate", state: str = "RUNNING") -> RayCall:
    return RayCall(f"{number:048x}", function, function, state)


def test_the_first_reading_only_remembers() -> None:
    assert CallFacts(load_profile("demo")).poll([_call(1)], 1.0) == []


def test_calls_that_end_and_begin_are_one_fact() -> None:
    facts = CallFacts(load_profile("demo"))
    facts.poll([_call(1), _call(2), _call(3, state=QUEUED)], 1.0)
    (fact,) = facts.poll([_call(2), _call(3)], 2.0)
    assert fact.data == {"finished": 1, "began": 1}
    assert facts.poll([_call(2), _call(3)], 3.0) == []


def test_calls_that_only_began_moved_when_ray_says_that_they_began() -> None:
    for began_at, at in ((6.5, 6.5), (1.0, 5.0), (9.0, 7.0), (None, 7.0)):
        facts = CallFacts(load_profile("demo"))
        facts.poll([], 5.0)
        (fact,) = facts.poll([replace(_call(1), began_at=began_at)], 7.0)
        assert fact.at == at


def test_calls_of_which_one_ended_moved_when_that_was_seen() -> None:
    facts = CallFacts(load_profile("demo"))
    facts.poll([_call(1)], 5.0)
    (fact,) = facts.poll([replace(_call(2), began_at=6.0)], 7.0)
    assert fact.at == 7.0


def test_a_full_server_with_a_queued_control_call_does_not_move() -> None:
    facts = CallFacts(load_profile("demo"))
    stuck = [_call(number) for number in range(64)] + [_call(99, "RolloutServer.update_weights", QUEUED)]
    facts.poll(stuck, 1.0)
    assert all(facts.poll(reversed(stuck), 1.0 + second) == [] for second in range(20))


def test_a_newly_queued_call_has_not_begun() -> None:
    facts = CallFacts(load_profile("demo"))
    facts.poll([], 1.0)
    assert facts.poll([_call(1, state=QUEUED)], 2.0) == []
    assert len(facts.poll([_call(1)], 3.0)) == 1


def test_heartbeats_and_strangers_calls_never_move() -> None:
    for profile in ("demo", "verl"):
        facts = CallFacts(load_profile(profile))
        names = ["WorkerDict.heartbeat", "RolloutServer.get_metrics", "Monitor.ping", "generate"]
        for second in range(5):
            assert facts.poll([_call(100 * second + n, name) for n, name in enumerate(names)], float(second)) == []
