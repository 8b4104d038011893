"""Hooks in real Ray workers, put in by the setup hook: ids, ObjectRefs and a blocked loop, all told from inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.trainer_hooks.conftest import REPOSITORY, ask

pytestmark = pytest.mark.real
Document = dict[str, Any]


@pytest.fixture
def driver() -> Iterator[tuple[subprocess.Popen[str], Document]]:
    """A driver in a Ray of its own, with the actor's calls under way, and what it said of them."""
    pytest.importorskip("ray")
    from monitor.ray_head import RayHead

    with RayHead.start(num_cpus=2) as head:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.trainer_hooks.ray_driver"],
            env={**os.environ, **head.environment(), "RAY_ADDRESS": head.address, "PYTHONPATH": str(REPOSITORY)},
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()
            process.communicate()


def until(true: Callable[[Document], bool], pid: int, hooks: Path) -> Document:
    """The first answer of which `true` holds."""
    for _ in range(300):
        answer: Document = ask(pid, hooks)
        if true(answer):
            return answer
        time.sleep(0.1)
    raise AssertionError(f"never came: {answer}")


def test_setup_hook_puts_the_truth_of_an_async_actor_within_reach(
    driver: tuple[subprocess.Popen[str], Document], own_folders: Path, written: Callable[..., list[Document]]
) -> None:
    process, said = driver
    hooks, pid = own_folders / "run" / "hooks", said["pid"]

    waiting = until(lambda answer: len(answer["tasks"]) >= 5, pid, hooks)
    assert waiting["errors"] == []
    assert waiting["actor"] == {"actor_id": said["actor_id"], "name": "server_0", "max_concurrency": 17}
    tasks = {task["ray_task_id"]: task for task in waiting["tasks"] if task["ray_task_id"]}
    of = {name: tasks[task_id] for name, (task_id, _) in said["calls"].items()}
    event_ref = said["calls"]["event"][1]
    assert of["event"]["waits_on"] == "event"
    assert (of["reference"]["waits_on"], of["reference"]["object_ref"]) == ("object_ref", event_ref)
    assert of["event"]["frames"][-1][0] == "Event.wait"
    children = [task for task in waiting["tasks"] if task["key"] in of["children"]["waits_for"]]
    assert of["children"]["waits_on"] == "gather"
    assert sorted((child["waits_on"], child["object_ref"]) for child in children) == [
        ("object_ref", event_ref),
        ("sleep", None),
    ]
    children_task = said["calls"]["children"][0]
    assert {(child["ray_task_id"], child["context_task_id"]) for child in children} == {(None, children_task)}

    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("block\n")
    process.stdin.flush()
    block_task = json.loads(process.stdout.readline())["block"]
    blocked = until(lambda answer: any(loop["blocked_seconds"] for loop in answer["loops"]), pid, hooks)
    culprit = next(task for task in blocked["tasks"] if task["ray_task_id"] == block_task)
    assert culprit["waits_on"] == "running"
    assert culprit["frames"][-1][0].endswith("wait") and culprit["frames"][-1][1].endswith("threading.py")
    assert any(frame[0].endswith("block") for frame in culprit["frames"])

    line = last_process_line(written, pid, "actor_name")
    assert (line["actor_id"], line["actor_name"]) == (said["actor_id"], "server_0")
    assert line["worker_id"] and line["node_id"] and line["ray_session"] and line["job_id"]
    assert ask(said["driver"], hooks)["actor"] is None
    assert last_process_line(written, said["driver"], "job_id")["job_id"] == line["job_id"]


def last_process_line(written: Callable[..., list[Document]], pid: int, key: str) -> Document:
    """The process record once it knows `key`, which takes it a beat."""
    for _ in range(300):
        lines = written("process", pid=pid)
        if lines and lines[-1][key]:
            return lines[-1]
        time.sleep(0.1)
    raise AssertionError(f"{key} never became known: {lines}")
