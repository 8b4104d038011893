"""Calls that Ray can't place: more than any node has, or all of it held; and near misses that are neither."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detect.judge import judge
from monitor.model.finding import VerdictWord
from monitor.model.snapshot import RayCall, RayGroup, RayNodeTotals, Snapshot, ThreadState
from tests.detect import snapshots as made

NODE = "ab12"


def _samples(cpus: float, total: float, held: float = 0.0) -> list[Snapshot]:
    """The trainer waits for a task of `cpus` CPUs; the rollout server's actor holds `held` of the node's `total`."""
    pending = RayCall(
        "9" * 48, "shard", "shard", "PENDING_NODE_ASSIGNMENT", made.JOB, None, None, required_resources={"CPU": cpus}
    )
    server = made.process(made.ROLLOUT, made.serving())
    samples = made.pair([*made.head([pending]), server], [made.RUN, pending])
    actors = tuple(
        replace(actor, node_id=NODE, required_resources={"CPU": held} if actor.pid == made.ROLLOUT and held else {})
        for actor in made.actors()
    )
    nodes = (RayNodeTotals(NODE, {"CPU": total}),)
    return [replace(sample, actors=actors, nodes=nodes, grows=False) for sample in samples]


def _classes(samples: list[Snapshot]) -> list[str]:
    return [finding.hang_class for finding in judge(samples).findings]


def test_more_than_any_node_has_is_infeasible() -> None:
    (finding,) = judge(_samples(100, 8)).findings
    assert finding.hang_class == "infeasible-resources"
    assert "100 CPU" in finding.sentence and finding.line == made.VALIDATE.line


def test_all_of_it_held_by_living_actors_is_starvation() -> None:
    (finding,) = judge(_samples(2, 8, held=7)).findings
    assert finding.hang_class == "cpu-starvation"
    assert "rollout_server_0" in finding.sentence


def test_a_call_that_would_fit_is_only_late() -> None:
    assert _classes(_samples(2, 8, held=6)) == []


def test_without_the_nodes_totals_nothing_is_proved() -> None:
    assert _classes([replace(sample, nodes=()) for sample in _samples(100, 8)]) == []


def test_a_call_that_was_placed_between_the_samples_is_no_finding() -> None:
    earlier, later = _samples(100, 8)
    calls = tuple(replace(call, state="RUNNING") if call.name == "shard" else call for call in earlier.calls)
    assert _classes([replace(earlier, calls=calls), later]) == []


def test_held_resources_while_something_works_are_no_starvation() -> None:
    earlier, later = _samples(2, 8, held=7)
    (busy,) = made.changed([later], made.TRAIN, cpu_seconds=2.9)
    assert _classes([earlier, busy]) == []


def _suspected(samples: list[Snapshot], hang_class: str) -> bool:
    """It is suspected, and nothing is proved."""
    verdict = judge(samples)
    found = [finding.hang_class for finding in verdict.suspicions]
    return verdict.findings == () and found == [hang_class] and verdict.word is VerdictWord.UNKNOWN


@pytest.mark.parametrize("grows", [True, None])
def test_where_an_autoscaler_adds_nodes_or_may_do_so_both_are_suspicions(grows: bool | None) -> None:
    for samples, hang_class in ((_samples(100, 8), "infeasible-resources"), (_samples(2, 8, 7), "cpu-starvation")):
        assert _suspected([replace(sample, grows=grows) for sample in samples], hang_class)


def test_a_node_that_came_between_the_samples_unproves_it() -> None:
    earlier, later = _samples(100, 8)
    came = replace(later, nodes=(*later.nodes, RayNodeTotals("cd34", {"CPU": 8.0})))
    assert _suspected([earlier, came], "infeasible-resources")


def test_a_holder_that_may_end_by_itself_or_was_not_read_unproves_starvation() -> None:
    sleeps = replace(made.serving(), frames=(made.frame("work", 7),), kernel_wait="sleep", kernel_wait_ends=True)
    assert _suspected(made.changed(_samples(2, 8, 7), made.ROLLOUT, threads=(sleeps,)), "cpu-starvation")
    unread = made.changed(_samples(2, 8, 7), made.ROLLOUT, threads=(), threads_unknown="no permission")
    assert _suspected(unread, "cpu-starvation")
    samples = _samples(2, 8, 7)
    gone = [replace(item, processes=tuple(p for p in item.processes if p.pid != made.ROLLOUT)) for item in samples]
    assert _suspected(gone, "cpu-starvation")


def test_a_trainer_with_a_thread_that_could_end_the_holder_unproves_starvation() -> None:
    samples = _samples(2, 8, 7)
    trainer = samples[0].processes[1]
    ticks = ThreadState(9, "t", False, False, (made.frame("tick", 3),), kernel_wait="sleep", kernel_wait_ends=True)
    assert _suspected(made.changed(samples, made.TRAINER, threads=(*trainer.threads, ticks)), "cpu-starvation")


def test_a_call_that_the_trainer_does_not_wait_for_is_no_finding() -> None:
    idle = made.changed(
        made.changed(_samples(100, 8), made.TRAINER, threads=(made.serving(),)), made.DRIVER, threads=()
    )
    assert _classes(idle) == [] and judge(idle).suspicions == ()


def _waiting_for_a_group(*bundles: float, state: str = "PENDING") -> list[Snapshot]:
    """The trainer waits for an object without a record, beside a placement group of bundles with so many CPUs."""
    lost = RayCall("9" * 48, "ready", "ready", "RUNNING", made.JOB)
    samples = made.pair(made.head([lost]), [made.RUN])
    group = RayGroup("ab" * 18, "pool_0", state, tuple({"CPU": cpus} for cpus in bundles), made.JOB)
    nodes = (RayNodeTotals(NODE, {"CPU": 8.0}), RayNodeTotals("cd34", {"CPU": 8.0}))
    return [replace(sample, nodes=nodes, groups=(group,), grows=False) for sample in samples]


@pytest.mark.parametrize("bundles", [(16.0,), (8.0, 8.0, 8.0)])
def test_a_placement_group_beyond_the_nodes_is_suspected_with_the_line_that_waits(bundles: tuple[float, ...]) -> None:
    samples = _waiting_for_a_group(*bundles)
    assert _suspected(samples, "infeasible-resources")
    (finding,) = judge(samples).suspicions
    assert "pool_0" in finding.sentence and finding.line == made.VALIDATE.line


def test_a_placement_group_that_would_fit_or_came_between_the_samples_is_not_suspected() -> None:
    assert judge(_waiting_for_a_group(8.0, 8.0)).suspicions == ()
    earlier, later = _waiting_for_a_group(16.0)
    assert judge([replace(earlier, groups=()), later]).suspicions == ()


def test_a_placement_group_is_not_suspected_where_the_nodes_are_not_known() -> None:
    assert judge([replace(sample, nodes=()) for sample in _waiting_for_a_group(16.0)]).suspicions == ()
