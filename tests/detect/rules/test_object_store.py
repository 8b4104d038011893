"""`object-store-full`: the raylet holds calls back for want of memory, and the run waits for one that is not placed."""

from __future__ import annotations

from dataclasses import replace

from monitor.model.snapshot import RayCall, RayNodeTotals, Snapshot
from tests.detect import snapshots as made
from tests.detect.rules.alone import proved, suspected


def _samples(waiting: int | None, state: str = "PENDING_NODE_ASSIGNMENT") -> list[Snapshot]:
    """The trainer waits for a call that is not begun, while the raylet holds so many calls back for memory."""
    pending = RayCall("9" * 48, "shard", "shard", state, made.JOB, None, None, required_resources={"CPU": 1.0})
    samples = made.pair(made.head([pending]), [made.RUN, pending])
    nodes = (RayNodeTotals("ab12", {"CPU": 8.0}),)
    return [replace(sample, nodes=nodes, grows=False, waiting_for_memory=waiting) for sample in samples]


def test_a_call_that_is_not_placed_while_calls_are_held_back_for_memory_is_suspected() -> None:
    for state in ("PENDING_NODE_ASSIGNMENT", "PENDING_OBJ_STORE_MEM_AVAIL"):
        assert suspected(_samples(1, state)) == ["object-store-full"]


def test_where_the_raylet_holds_none_back_or_does_not_tell_it_is_not_suspected() -> None:
    for waiting in (0, None):
        assert suspected(_samples(waiting)) == []


def test_a_call_that_is_being_executed_is_not_held_back() -> None:
    assert suspected(_samples(1, "RUNNING")) == []


def test_a_call_that_changed_its_state_between_the_samples_is_not_suspected() -> None:
    earlier, later = _samples(1)
    placed = tuple(replace(call, state="RUNNING") if call.name == "shard" else call for call in earlier.calls)
    assert suspected([replace(earlier, calls=placed), later]) == []


def test_a_run_that_works_may_give_memory_back() -> None:
    earlier, later = _samples(1)
    (busy,) = made.changed([later], made.TRAIN, cpu_seconds=9.0)
    assert suspected([earlier, busy]) == []


def test_more_than_any_node_has_is_infeasible_whatever_the_store_holds() -> None:
    samples = [replace(sample, nodes=(RayNodeTotals("ab12", {"CPU": 0.5}),)) for sample in _samples(1)]
    assert proved(samples) == ["infeasible-resources"]
