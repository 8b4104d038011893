"""Calls that Ray can't place: more than any node has, or all of it held; and near misses that are neither."""

from __future__ import annotations

from dataclasses import replace

from monitor.detect.judge import judge
from monitor.model.snapshot import RayCall, RayNodeTotals, Snapshot
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
    return [replace(sample, actors=actors, nodes=nodes) for sample in samples]


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
