"""Bundles of several nodes joined: what one node could not see becomes seen, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.detect.judge import judge
from monitor.diagnose import bundle as bundles
from monitor.diagnose.errors import BundlesDiffer, NoBundle
from monitor.diagnose.replay import replay
from monitor.model.finding import VerdictWord
from monitor.model.run import RunConfig, RunState
from monitor.model.snapshot import Snapshot
from tests.detect import snapshots as made

HEAD, WORKER = "aa" * 28, "bb" * 28
RUN = RunState("exp", RunConfig(), 900.0)


def _placed(samples: list[Snapshot], rollout_pid: int = made.ROLLOUT) -> list[Snapshot]:
    """The run on two nodes: the rollout server alone on the second, under a pid of its own there."""
    placed = []
    for sample in samples:
        processes = tuple(
            replace(item, node_id=WORKER, pid=rollout_pid) if item.pid == made.ROLLOUT else replace(item, node_id=HEAD)
            for item in sample.processes
        )
        calls = tuple(
            replace(call, node_id=WORKER, worker_pid=rollout_pid) if call.worker_pid == made.ROLLOUT
            else replace(call, node_id=HEAD if call.worker_pid else None)
            for call in sample.calls
        )  # fmt: skip
        actors = tuple(
            replace(actor, node_id=WORKER, pid=rollout_pid) if actor.pid == made.ROLLOUT
            else replace(actor, node_id=HEAD)
            for actor in sample.actors
        )  # fmt: skip
        placed.append(replace(sample, processes=processes, calls=calls, actors=actors))
    return placed


def _nodes(samples: list[Snapshot], rollout_pid: int = made.ROLLOUT) -> tuple[list[Snapshot], list[Snapshot]]:
    placed = _placed(samples, rollout_pid)
    label = next(item.label for item in placed[0].processes if item.node_id == WORKER)
    unseen_there = [item.label for item in placed[0].processes if item.node_id == HEAD]
    here = [
        replace(
            sample,
            node_id=HEAD,
            processes=tuple(item for item in sample.processes if item.node_id == HEAD),
            unseen=(f"{label} on node {WORKER[:8]}",),
        )
        for sample in placed
    ]
    there = [
        replace(
            sample,
            node_id=WORKER,
            host="second",
            taken_at=sample.taken_at + 20.0,
            processes=tuple(item for item in sample.processes if item.node_id == WORKER),
            unseen=tuple(f"{name} on node {HEAD[:8]}" for name in unseen_there),
        )
        for sample in placed
    ]
    return here, there


def _write(directory: Path, samples: list[Snapshot]) -> Path:
    return bundles.write(directory, RUN, samples, judge(samples))


@pytest.mark.parametrize("name", ["control-queue", "self-get", "loop-blocked", "lost-wakeup", "engine-stopped"])
def test_two_nodes_prove_together_what_neither_proves_alone(tmp_path: Path, name: str) -> None:
    here, there = _nodes(made.HANGS[name](hooks=True))
    paths = [_write(tmp_path / "a", here), _write(tmp_path / "b", there)]
    assert replay([paths[0]]).verdict.word is VerdictWord.UNKNOWN
    # A stopped engine is known on its own node, by the phase that needs it.
    alone = ["engine-stopped"] if name == "engine-stopped" else []
    assert [finding.hang_class for finding in replay([paths[1]]).verdict.findings] == alone
    for order in (paths, paths[::-1]):
        (finding,) = replay(order).verdict.findings
        assert (finding.hang_class, finding.culprit.pid) == (name, made.ROLLOUT)


def test_equal_pids_of_two_nodes_are_two_processes(tmp_path: Path) -> None:
    here, there = _nodes(made.engine_stopped(hooks=False), rollout_pid=made.TRAINER)
    paths = [_write(tmp_path / "a", here), _write(tmp_path / "b", there)]
    (finding,) = replay(paths).verdict.findings
    assert (finding.hang_class, finding.culprit.pid) == ("engine-stopped", made.TRAINER)
    assert "rollout_server_0" in (finding.culprit.process or "")
    assert not [word for word in finding.sentence.split() if "1000000" in word or "2000000" in word]


def test_a_pid_of_another_node_is_not_taken_for_the_process_of_that_number_here() -> None:
    here, _ = _nodes(made.control_queue(hooks=False), rollout_pid=made.TRAIN)
    assert not judge(here).findings


def test_progress_between_the_nodes_captures_unproves(tmp_path: Path) -> None:
    here, there = _nodes(made.lost_wakeup(hooks=True))
    moved = [replace(item, position=replace(item.position, last_moved_at=1015.0)) for item in there]
    paths = [_write(tmp_path / "a", here), _write(tmp_path / "b", moved)]
    assert replay(paths).verdict.word is VerdictWord.UNKNOWN


def test_a_process_at_work_on_the_other_node_unproves(tmp_path: Path) -> None:
    here, there = _nodes(made.lost_wakeup(hooks=True))
    busy = replace(there[1].processes[0], cpu_seconds=there[1].processes[0].cpu_seconds + 2.0)
    paths = [_write(tmp_path / "a", here), _write(tmp_path / "b", [there[0], replace(there[1], processes=(busy,))])]
    assert not replay(paths).verdict.findings


def test_two_bundles_of_one_node_are_one_history(tmp_path: Path) -> None:
    earlier, later = made.self_get(hooks=False)
    paths = [_write(tmp_path, [later]), _write(tmp_path, [earlier])]
    assert [finding.hang_class for finding in replay(paths).verdict.findings] == ["self-get"]


def test_bundles_of_different_runs_are_not_joined(tmp_path: Path) -> None:
    samples = made.self_get(hooks=False)
    other = [replace(item, position=replace(item.position, name="other")) for item in samples]
    with pytest.raises(BundlesDiffer, match="different runs"):
        replay([_write(tmp_path, samples), _write(tmp_path, other)])


def test_no_bundle_named_is_said() -> None:
    with pytest.raises(NoBundle):
        replay([])
