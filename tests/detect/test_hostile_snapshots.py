"""Snapshots of any content are judged without a crash, and in time that grows with their size."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detect.judge import judge
from monitor.model.finding import VerdictWord
from monitor.model.json_form import from_json, to_json
from monitor.model.snapshot import RayCall, Snapshot
from tests.detect import snapshots as made


def _mutated(document: Any, chance: random.Random) -> Any:
    """The document with some values replaced by odd ones of the same type, lists shortened, doubled or shuffled."""
    if isinstance(document, dict):
        return {key: _mutated(value, chance) for key, value in document.items()}
    if isinstance(document, list):
        items = [_mutated(value, chance) for value in document]
        return chance.choice([items, items, items, items, items[:1], items + items, items[::-1]])
    if chance.random() > 0.03:
        return document
    if isinstance(document, bool) or document is None:
        return chance.choice([True, False]) if document is not None else None
    if isinstance(document, (int, float)):
        return type(document)(chance.choice([0, -1, 1, 2**40, 5]))
    return chance.choice(["", "\x00", "?" * 300, "f" * 56, document[::-1], document.upper()])


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(made.HANGS)), hooks=st.booleans(), seed=st.integers(0, 10**9))
def test_any_snapshots_are_judged_without_a_crash(name: str, hooks: bool, seed: int) -> None:
    chance = random.Random(seed)
    samples = [from_json(Snapshot, _mutated(to_json(item), chance)) for item in made.HANGS[name](hooks=hooks)]
    assert judge(samples).word in VerdictWord


def test_thousands_of_calls_and_tasks_are_judged() -> None:
    earlier, later = made.lost_wakeup(hooks=True)
    numbers = range(1000, 5000)
    calls: list[RayCall] = [made.call(made.ROLLOUT, number, "RolloutServer.generate") for number in numbers]
    tasks = [made.task(call.task_id, "event", made.frame("_reply", 99), ray_task_id=call.task_id) for call in calls]
    samples = []
    for sample in (earlier, later):
        server = sample.processes[-1]
        server = replace(server, tasks=(*(server.tasks or ()), *tasks))
        many = replace(sample, processes=(*sample.processes[:-1], server), calls=(*sample.calls, *calls))
        samples.append(many)
    assert [finding.hang_class for finding in judge(samples).findings] == ["lost-wakeup"]
