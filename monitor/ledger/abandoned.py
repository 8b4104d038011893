"""Runs that ended while nobody watched: no watch wrote their end, but their driver's process is gone for sure.

Derived at each reading and never stored: a watch that comes back reads the files and tells the end better.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from monitor.ledger import claims
from monitor.model.run import RunState
from monitor.sources.process_mark import is_gone

GONE_UNSEEN = "gone-unseen"
"""How such a run ended."""


def as_it_stands(connection: sqlite3.Connection, state: RunState, hung_since: float | None) -> RunState:
    """`state` as it was kept, with what only a reader can tell: that it hangs, or that it ended unseen."""
    if state.ended_at is not None:
        hung_since = None
    elif (ended_at := _last_seen(connection, state)) is not None:
        return replace(state, ended_at=ended_at, ended_how=GONE_UNSEEN, hung_since=None)
    return state if hung_since == state.hung_since else replace(state, hung_since=hung_since)


def _last_seen(connection: sqlite3.Connection, state: RunState) -> float | None:
    """When an abandoned run was last seen, None where its driver lives, is watched, or can't be told to be gone."""
    mark = state.config.driver_mark
    if mark is None or not is_gone(mark) or claims.held_by(connection, claims.WATCH + state.name):
        return None
    row = connection.execute("SELECT at FROM live WHERE run = ?", (state.name,)).fetchone()
    if row is not None:
        return float(row["at"])
    return state.progress.last_moved_at if state.progress else state.started_at
