"""The hooks' files as facts: of the run's processes only, samples summed, broken lines skipped, nothing twice."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from monitor.model.fact import Fact, FactKind
from monitor.sources.hook_files import HookSource, UnsafeHooks
from monitor.sources.trainer_profile import load_profile
from trainer_hooks import records

NOW = 4e9
ME = os.getpid()
GONE = 2**22 - 3
"""A pid that no process has: its files are of one that has ended."""


def _event(kind: str, at: float = 100.0, **more: Any) -> str:
    return json.dumps({"schema": 1, "kind": kind, "at": at, "step": None, "phase": None, "data": {}, **more}) + "\n"


def _counters(*slots: tuple[str, int]) -> bytes:
    body = records.COUNTER_HEADER.pack(records.COUNTER_MAGIC, records.SCHEMA, records.SLOTS, ME)
    for name, value in slots:
        body += records.COUNTER_SLOT.pack(name.encode(), value, 200.0)
    return body.ljust(records.COUNTER_HEADER.size + records.SLOTS * records.COUNTER_SLOT.size, b"\0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "hooks"
    path.mkdir(mode=0o700)
    return path


def _write(folder: Path, pid: int, start: int, *lines: str) -> Path:
    path = folder / (records.stem(pid, start) + records.EVENTS_ENDING)
    with path.open("a") as file:
        file.writelines(lines)
    return path


def _mine(folder: Path, *lines: str) -> Path:
    return _write(folder, ME, records.start_ticks(ME), *lines)


def _kinds(facts: list[Fact]) -> list[FactKind]:
    return [fact.kind for fact in facts]


def test_events_become_facts_once_in_the_order_of_their_times(folder: Path) -> None:
    source = HookSource(folder, lambda: [ME, GONE])
    assert source.poll(NOW) == []
    _mine(folder, _event("process"), _event("phase_begin", 120.0, step=29, phase="testing", data={"total": 256}))
    _write(folder, GONE, 7, _event("weights_updated", 110.0, step=29, data={"version": 29}))
    facts = source.poll(NOW)
    assert _kinds(facts) == [FactKind.WEIGHTS_UPDATED, FactKind.PHASE_BEGIN]
    assert (facts[1].step, facts[1].phase, facts[1].at, facts[1].source) == (29, "testing", 120.0, "hook")
    assert facts[1].evidence is not None and facts[1].evidence.line == 2
    assert source.poll(NOW) == []
    assert source.seen == (ME, GONE)


def test_lines_that_are_broken_unknown_or_odd_are_skipped(folder: Path) -> None:
    source = HookSource(folder, lambda: [ME])
    _mine(folder, '{"kind": "step_end", "at', "\n", "[]\n", '{"kind": "dance", "at": 1}\n')
    _mine(folder, _event("score", step="20"), _event("score", data=[1]), _event("score", at="x"))
    assert source.poll(NOW) == []
    path = _mine(folder, _event("step_end", step=3)[:-10])
    assert source.poll(NOW) == []
    with path.open("a") as file:
        file.write(_event("step_end", step=3)[-10:])
    assert _kinds(source.poll(NOW)) == [FactKind.STEP_END]


def test_files_of_other_processes_and_of_a_reused_pid_are_left_alone(folder: Path) -> None:
    _write(folder, ME, records.start_ticks(ME) - 1, _event("step_end", step=1))
    _write(folder, ME + 1, 7, _event("step_end", step=1))
    (folder / "notes.txt").write_text("x")
    assert HookSource(folder, lambda: [ME]).poll(NOW) == []


def test_samples_are_summed_over_processes_and_told_when_they_rise(folder: Path) -> None:
    source = HookSource(folder, lambda: [ME, GONE])
    mine = _mine(folder, _event("phase_begin", step=29, phase="testing", data={"total": 256}))
    _write(folder, GONE, 7, _event("process"))
    name = records.validation_samples(29)
    counters = mine.with_name(mine.name.replace(records.EVENTS_ENDING, records.COUNTERS_ENDING))
    other = folder / (records.stem(GONE, 7) + records.COUNTERS_ENDING)
    counters.write_bytes(_counters((name, 30), (records.HEARTBEAT, 5)))
    other.write_bytes(_counters((name, 34)))
    samples = [fact for fact in source.poll(NOW) if fact.kind is FactKind.SAMPLES]
    assert [(fact.step, fact.phase, fact.data, fact.at) for fact in samples] == [
        (29, "testing", {"done": 64, "total": 256}, 200.0)
    ]
    counters.write_bytes(_counters((name, 30), (records.HEARTBEAT, 99)))
    assert source.poll(NOW) == [], "a heartbeat is no progress"
    other.unlink()
    counters.write_bytes(_counters((name, 31)))
    assert [fact.data["done"] for fact in source.poll(NOW)] == [65], "a process that ended keeps its count"


def test_training_samples_are_progress_without_a_step(folder: Path) -> None:
    source = HookSource(folder, lambda: [ME])
    path = _mine(folder, _event("process"))
    counters = path.with_name(path.name.replace(records.EVENTS_ENDING, records.COUNTERS_ENDING))
    counters.write_bytes(_counters((records.ROLLOUT_SAMPLES, 16)))
    assert [(fact.kind, fact.data) for fact in source.poll(NOW)] == [(FactKind.CALLS_MOVED, {"finished": 16})]
    assert source.poll(NOW) == []


@pytest.mark.parametrize(
    "content", [b"", b"LASTSTEP", b"x" * 4000, _counters()[:70]], ids=["empty", "name only", "foreign", "cut"]
)
def test_a_counter_file_that_is_cut_or_foreign_counts_nothing(folder: Path, content: bytes) -> None:
    path = _mine(folder, _event("process"))
    path.with_name(path.name.replace(records.EVENTS_ENDING, records.COUNTERS_ENDING)).write_bytes(content)
    assert HookSource(folder, lambda: [ME]).poll(NOW) == []


def test_a_folder_that_others_may_write_proves_nothing(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises(UnsafeHooks, match="can be written by others"):
        HookSource(folder, lambda: [ME]).poll(NOW)


def test_relative_paths_are_the_processes_own_and_ray_says_which_is_the_driver(folder: Path) -> None:
    data = {"checkpoint_dir": "checkpoints", "model_path": "/abs", "driver_pid": 5, "experiment": None}
    _mine(folder, _event("run_config", data=data))
    (fact,) = HookSource(folder, lambda: [ME]).poll(NOW)
    assert fact.data == {"checkpoint_dir": os.path.join(os.getcwd(), "checkpoints"), "model_path": "/abs"}


def test_a_checkpoint_is_complete_only_if_its_shards_are(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "global_step_29"
    (path / "actor").mkdir(parents=True)
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("29")
    shard = path / "actor" / "model_world_size_1_rank_0.pt"
    with zipfile.ZipFile(shard, "w") as archive:
        archive.writestr("data", b"x" * 1000)
    event = _event("checkpoint", step=29, data={"path": str(path), "complete": True})
    _mine(folder, event)
    source = HookSource(folder, lambda: [ME])
    assert [fact.data["complete"] for fact in source.poll(NOW)] == [True]
    shard.write_bytes(shard.read_bytes()[:500])
    _mine(folder, event)
    assert [fact.data["complete"] for fact in source.poll(NOW)] == [False]


@pytest.mark.parametrize("whole", [True, False])
def test_trls_checkpoint_is_complete_once_the_state_that_is_written_last_is_there(
    folder: Path, tmp_path: Path, whole: bool
) -> None:
    path = tmp_path / "checkpoint-29"
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"x" * 1000)
    if whole:
        (path / "trainer_state.json").write_text("{}")
    _mine(folder, _event("checkpoint", step=29, data={"path": str(path), "complete": True}))
    (fact,) = HookSource(folder, lambda: [ME], load_profile("trl").checkpoints).poll(NOW)
    assert fact.data["complete"] is whole
    assert fact.data["missing"] == ([] if whole else ["trainer_state.json (absent)"])
    assert fact.data["bytes"] >= 1000
