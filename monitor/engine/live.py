"""The live document: what the watch writes for the screens each tick, schema 1.

Only the form; everything in it was read elsewhere. The dashboard and `laststep status` read nothing but this and the
ledger's tables, so a dropped terminal loses nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from monitor.engine.source_set import SourceSet
from monitor.model.finding import Verdict
from monitor.model.json_form import to_json, to_json_brief
from monitor.model.run import PhaseSpan, RunState
from monitor.model.snapshot import EventLoopState, ProcessState, Snapshot
from monitor.sources.ray_discovery import RayCluster

SCHEMA = 1

TAIL_BYTES = 32 << 10
"""At least so much of the log's end is read for its last lines: a bar redrawn a hundred times is one of them."""

STARTED_AT = time.time()
"""When this process began to watch, as near as an import can tell. Wall clock."""


def live_document(
    state: RunState,
    verdict: Verdict,
    sources: SourceSet,
    cluster: RayCluster,
    *,
    now: float,
    bundle: str | None,
    snapshot: Snapshot | None,
    limits: Mapping[str, float],
    log_tail: Iterable[str],
) -> dict[str, Any]:
    """The whole document, as plain JSON."""
    return {
        "schema": SCHEMA,
        "at": now,
        "watch": {"pid": os.getpid(), "cpu_seconds": time.process_time(), "started_at": STARTED_AT},
        "run": run_document(state),
        "verdict": to_json(verdict),
        "bundle": bundle,
        "gpus": to_json(sources.gpus),
        "engines": to_json(sources.engines) if sources.engines is not None else None,
        "processes": _processes(sources),
        "loops": _loops(snapshot.processes if snapshot else ()),
        "loops_at": snapshot.taken_at if snapshot else None,
        "phase_limits": dict(limits),
        "log": {"path": state.config.console_log, "tail": list(log_tail)},
        "sources": [to_json(status) for status in sources.statuses],
        "cluster": {
            "gcs_address": cluster.gcs_address,
            "dashboard_url": cluster.dashboard_url,
            "session_dir": str(cluster.session_dir or ""),
        },
    }


def run_document(state: RunState) -> dict[str, Any]:
    """The run as JSON; its phases, which are most of it, without what they hold by default."""
    return {**to_json(replace(state, spans=())), "spans": [_span_document(span) for span in state.spans]}


@lru_cache(maxsize=2048)
def _span_document(span: PhaseSpan) -> dict[str, Any]:
    """One phase; made once, since nearly all of them have ended and stay as they are."""
    return to_json_brief(span)


def _processes(sources: SourceSet) -> list[dict[str, Any]]:
    rows = []
    for process in sources.processes:
        load = sources.loads.get(process.pid)
        rows.append(
            {
                "pid": process.pid,
                "role": process.role,
                "label": process.label,
                "state": load.state if load else "?",
                "cpu_percent": load.cpu_percent if load else None,
                "rss_bytes": load.rss_bytes if load else None,
            }
        )
    return rows


def _loops(processes: Iterable[ProcessState]) -> list[dict[str, Any]]:
    """Event loops of the last snapshot: by the hook's responder, else by the loop threads py-spy saw."""
    rows: list[dict[str, Any]] = []
    for process in processes:
        for loop in process.loops:
            rows.append(
                {
                    "process": process.label,
                    "thread": loop.thread,
                    "blocked_seconds": loop.blocked_seconds,
                    "pending_tasks": loop.pending_tasks,
                    "lag_seconds": _lag(loop),
                }
            )
        if process.loops:
            continue
        for thread in process.threads:
            if thread.runs_loop:
                rows.append(
                    {
                        "process": process.label,
                        "thread": thread.name,
                        "blocked_seconds": thread.loop_blocked_seconds,
                        "pending_tasks": None,
                    }
                )
    return rows


def _lag(loop: EventLoopState) -> float | None:
    """How much later than it was due its next timer still waits; None where it has none, or that can't be read."""
    return None if loop.next_timer_seconds is None else max(0.0, -loop.next_timer_seconds)


def tail_of(path: str | None, lines: int, clean: Any) -> list[str]:
    """The last `lines` lines of a log, each cleaned for the screen; empty where it can't be read."""
    if not path:
        return []
    try:
        with Path(path).open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - max(400 * lines, TAIL_BYTES)))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    kept = [line for line in text.split("\n") if line.strip()][-lines:]
    return [clean(_drawn_last(line)) for line in kept]


def _drawn_last(line: str) -> str:
    """What a terminal would be left with of a line that was redrawn with carriage returns: its last text."""
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")
