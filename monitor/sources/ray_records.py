"""Records of Ray's State API as the model's dataclasses, and those that only the sources need.

Pure: JSON rows in, dataclasses out. A row that lacks its id is counted as not understood, never guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from monitor.model.snapshot import RayActor, RayCall, RayGroup

T = TypeVar("T")

OVER = frozenset({"FINISHED", "FAILED"})
"""States of a call that will not change any more."""


@dataclass(frozen=True)
class RayWorker:
    """A worker or driver process."""

    worker_id: str
    pid: int
    node_id: str
    kind: str
    """`DRIVER` or `WORKER`."""
    alive: bool


@dataclass(frozen=True)
class RayJob:
    """A job: one driver, or one submission of Ray's Job API."""

    job_id: str
    driver_pid: int | None
    status: str
    """`PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, `STOPPED`."""
    entrypoint: str
    started_at: float | None
    submission_id: str | None = None
    node_id: str | None = None


@dataclass(frozen=True)
class RayNode:
    """A node of the cluster."""

    node_id: str
    ip: str
    alive: bool
    is_head: bool
    resources: dict[str, float] = field(default_factory=dict)


def parse_all(rows: Iterable[Any], parse: Callable[[dict[str, Any]], T]) -> tuple[tuple[T, ...], int]:
    """The rows that `parse` understands, and how many it does not."""
    parsed, bad = [], 0
    for row in rows:
        try:
            parsed.append(parse(row))
        except (KeyError, TypeError, ValueError, AttributeError):
            bad += 1
    return tuple(parsed), bad


def call(row: dict[str, Any]) -> RayCall:
    """A task record."""
    events = [event for event in row.get("events") or () if event.get("created_ms") is not None]
    return RayCall(
        task_id=str(row["task_id"]),
        name=_text(row.get("name")),
        function=_text(row.get("func_or_class_name")),
        state=str(row["state"]),
        job_id=_text(row.get("job_id")),
        actor_id=row.get("actor_id") or None,
        parent_task_id=row.get("parent_task_id") or None,
        worker_pid=_pid(row.get("worker_pid")),
        node_id=row.get("node_id") or None,
        kind=_text(row.get("type")) or "NORMAL_TASK",
        required_resources=_numbers(row.get("required_resources")),
        submitted_at=_seconds(row.get("creation_time_ms")),
        began_at=_seconds(row.get("start_time_ms")),
        state_since=_seconds(events[-1]["created_ms"]) if events else None,
    )


def actor(row: dict[str, Any]) -> RayActor:
    """An actor record."""
    return RayActor(
        actor_id=str(row["actor_id"]),
        class_name=str(row["class_name"]),
        name=_text(row.get("name")),
        state=str(row["state"]),
        pid=_pid(row.get("pid")),
        node_id=row.get("node_id") or None,
        job_id=_text(row.get("job_id")),
        death_cause=_death(row.get("death_cause")),
        required_resources=_numbers(row.get("required_resources")),
    )


def group(row: dict[str, Any]) -> RayGroup:
    """A placement group record."""
    return RayGroup(
        group_id=str(row["placement_group_id"]),
        name=_text(row.get("name")),
        state=str(row["state"]),
        bundles=tuple(_numbers(bundle.get("unit_resources")) for bundle in row.get("bundles") or ()),
        job_id=_text(row.get("creator_job_id")),
    )


def worker(row: dict[str, Any]) -> RayWorker:
    """A worker record."""
    return RayWorker(
        str(row["worker_id"]),
        int(row.get("pid") or 0),
        _text(row.get("node_id")),
        _text(row.get("worker_type")),
        bool(row.get("is_alive")),
    )


def job(row: dict[str, Any]) -> RayJob:
    """A job record. A submission without a driver yet has no job id: its submission id names it."""
    driver = row.get("driver_info") or {}
    return RayJob(
        str(row.get("job_id") or row["submission_id"]),
        _pid(driver.get("pid")),
        str(row["status"]),
        _text(row.get("entrypoint")),
        _seconds(row.get("start_time")),
        row.get("submission_id") or None,
        row.get("driver_node_id") or None,
    )


def node(row: dict[str, Any]) -> RayNode:
    """A node record."""
    return RayNode(
        str(row["node_id"]),
        _text(row.get("node_ip")),
        row.get("state") == "ALIVE",
        bool(row.get("is_head_node")),
        _numbers(row.get("resources_total")),
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _pid(value: Any) -> int | None:
    return int(value) or None if value is not None else None


def _seconds(milliseconds: Any) -> float | None:
    """Ray writes 0 and 2^64-1 for "not known"."""
    if milliseconds is None or not 0 < float(milliseconds) < 1e15:
        return None
    return float(milliseconds) / 1000.0


def _numbers(value: Any) -> dict[str, float]:
    return {str(key): float(item) for key, item in (value or {}).items()}


def _death(value: Any) -> str:
    """`death_cause` as one line: {"actor_died_error_context": {"error_message": "…"}}, or a text in older Ray."""
    if not value:
        return ""
    if isinstance(value, dict):
        for kind, context in value.items():
            message = context.get("error_message") or context.get("reason") if isinstance(context, dict) else context
            return " ".join(f"{kind}: {message}".split())[:500]
    return " ".join(str(value).split())[:500]
