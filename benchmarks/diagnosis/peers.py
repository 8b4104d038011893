"""What is on the table today, on the same faults, by rules that favour it: does its output name process, line, cause?

`py-spy dump` of every process of the run: line, where the culprit's file and line stand in a text; process and cause
never, since it prints every stack and says of none that it is the odd one (a program of one process counts as named
where that is the culprit). Ray's State API (unfinished tasks, actors): process, where the culprit's pid stands
on an unfinished call or on an actor that is not alive, however many others do; line, where file and line stand in it;
cause, where a state says it (PENDING_NODE_ASSIGNMENT with what it requires, DEAD, RESTARTING, a placement
group PENDING). Ray's dashboard: the same records, and the stack page of the culprit's process, as if a person knew to
open it; cause also where its cluster status lists the demand that can't be met, or an object store that is as full as
arguments may make it. That page is off by default in Ray 2.60 (HTTP 403) and needs py-spy on the head's PATH: both are
granted here.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from monitor.inspection.threads import find_py_spy
from monitor.sources.http_get import fetch
from tests.faults.ray_harness import Head

RESOURCES = frozenset({"cpu-starvation", "infeasible-resources"})
LARGEST = 64 << 20
FULL_OF_ARGUMENTS = 0.7
"""The share of the object store that arguments of running calls may hold (Ray's default)."""
_STORE = re.compile(r"([\d.]+)MiB/([\d.]+)MiB object_store_memory")
Record = dict[str, Any]


@dataclass(frozen=True)
class Named:
    """What a peer's output names."""

    process: bool = False
    line: bool = False
    cause: bool = False


@dataclass(frozen=True)
class Truth:
    """What there is to name."""

    pids: frozenset[int]
    places: frozenset[str]
    """`file.py:LINE`, without folders."""
    classes: tuple[str, ...]


def py_spy(pids: Collection[int], truth: Truth) -> Named:
    """`py-spy dump --nonblocking` of each."""
    texts = [
        subprocess.run(
            [*find_py_spy(), "dump", "--nonblocking", "--pid", str(pid)], capture_output=True, text=True
        ).stdout
        for pid in pids
    ]
    return Named(
        process=set(pids) <= truth.pids,
        line=any(f"{place})" in text for place in truth.places for text in texts),
    )


def state_api(ray: Head, truth: Truth) -> Named:
    """The records that `ray list tasks`, `actors` and `placement-groups` print."""
    tasks = [task for task in _list(ray, "tasks") if task["state"] not in ("FINISHED", "FAILED")]
    actors = _list(ray, "actors")
    groups = _list(ray, "placement_groups")
    odd = [actor for actor in actors if actor["state"] not in ("ALIVE", "DEAD")]
    pids = {task.get("worker_pid") for task in tasks} | {actor.get("pid") for actor in odd}
    text = json.dumps([tasks, actors, groups])
    return Named(
        process=bool(pids & truth.pids),
        line=any(place in text for place in truth.places),
        cause=_cause(truth, tasks, odd, groups),
    )


def dashboard(ray: Head, truth: Truth) -> Named:
    """Its pages by HTTP."""
    records = state_api(ray, truth)
    node = next(iter(node.node_id for node in ray.api.nodes() if node.alive), "")
    stacks = [_text(ray, f"/worker/traceback?pid={pid}&node_id={node}&native=0") for pid in truth.pids]
    status = _text(ray, "/api/cluster_status?format=1")
    demand = status.rpartition("Pending Demands")[2] if "Pending Demands" in status else ""
    return Named(
        process=records.process,
        line=records.line or any(f"{place})" in text for place in truth.places for text in stacks),
        cause=records.cause
        or (bool(RESOURCES & set(truth.classes)) and "CPU" in demand)
        or ("object-store-full" in truth.classes and _store_is_full(status)),
    )


def enable_stacks_of_dashboard() -> None:
    """Let heads that are started from now on show stacks in their dashboard."""
    folders = [os.path.dirname(find_py_spy()[0]), os.environ.get("PATH", "")]
    os.environ.update(RAY_DASHBOARD_ENABLE_PROFILING="1", PATH=os.pathsep.join(folders))


def _store_is_full(status: str) -> bool:
    shown = _STORE.search(status)
    return shown is not None and float(shown.group(1)) >= FULL_OF_ARGUMENTS * float(shown.group(2))


def _cause(truth: Truth, tasks: list[Record], odd: list[Record], groups: list[Record]) -> bool:
    if RESOURCES & set(truth.classes):
        waiting = any(task["state"] == "PENDING_NODE_ASSIGNMENT" and task.get("required_resources") for task in tasks)
        if waiting or any(group["state"] == "PENDING" for group in groups):
            return True
    return "actor-dead" in truth.classes and bool(odd)


def _list(ray: Head, what: str) -> list[Record]:
    text = _text(ray, f"/api/v0/{what}?detail=1&limit=10000")
    return list(json.loads(text)["data"]["result"]["result"]) if text else []


def _text(ray: Head, path: str) -> str:
    headers = {"Authorization": f"Bearer {ray.cluster.token}"} if ray.cluster.token else {}
    try:
        status, body = fetch(ray.cluster.dashboard_url, path, headers, 20.0, LARGEST)
    except (OSError, http.client.HTTPException):
        return ""
    return body.decode("utf-8", "replace") if status == 200 else ""
