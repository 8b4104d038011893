"""The table `reruns`: one row a rerun, which is also the lock of the score it makes.

The lock is held while the row is under way and its process lives. A pid alone names no process (pids are used again),
so the time it began is kept, in clock ticks since boot: those don't move when the wall clock is set.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from monitor.ledger import process_identity
from monitor.ledger.errors import NoSuchRerun, RerunUnderWay
from monitor.ledger.rows import ENDED, RerunRow

UPDATABLE = ("status", "directory", "done", "total", "error")


def claim(
    connection: sqlite3.Connection, run: str, step: int, recipe: str, pid: int, pid_start: float | None, now: float
) -> str:
    """A new rerun's id, its lock taken for `pid`. A lock whose process is dead is taken over, its row ends as `failed`.

    Raises `RerunUnderWay`.
    """
    for row in reruns(connection, run):
        if row.step == step and row.recipe == recipe and not row.over:
            if process_identity.alive(row.pid, row.start_ticks):
                raise RerunUnderWay(
                    f"the score of step {step} of {run} with {recipe} is being made by {row.id} (pid {row.pid})"
                )
            sentence = f"the rerun's process (pid {row.pid}) ended without a word; {recipe} was begun anew"
            update(connection, row.id, now, status="failed", error=sentence)
    identity = _new_id(connection, now, pid)
    connection.execute(
        """INSERT INTO reruns (id, run, step, recipe, status, pid, pid_start, start_ticks, error, started_at)
        VALUES (?, ?, ?, ?, 'claimed', ?, ?, ?, '', ?)""",
        (identity, run, step, recipe, pid, pid_start or 0.0, process_identity.start_ticks(pid), now),
    )
    return identity


def update(connection: sqlite3.Connection, identity: str, now: float, **changes: Any) -> None:
    """Change a rerun's row. An end is final: only `done` may follow `failed` or `cancelled`, and nothing `done`.

    (Whoever found the process dead may have looked just before its last write.) Raises `NoSuchRerun`.
    """
    unknown = set(changes) - set(UPDATABLE)
    if unknown:
        raise TypeError(f"a rerun has no {sorted(unknown)}")
    row = rerun(connection, identity)
    if row.over and (row.status == "done" or changes.get("status") != "done"):
        return
    if changes.get("status") in ENDED:
        changes = {**changes, "ended_at": now}
    if changes:
        assignments = ", ".join(f"{name} = ?" for name in changes)
        connection.execute(f"UPDATE reruns SET {assignments} WHERE id = ?", (*changes.values(), identity))


def rerun(connection: sqlite3.Connection, identity: str) -> RerunRow:
    """One rerun. Raises `NoSuchRerun`."""
    row = connection.execute("SELECT * FROM reruns WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise NoSuchRerun(f"the ledger knows no rerun `{identity}`")
    return _row(row)


def reruns(connection: sqlite3.Connection, run: str | None) -> list[RerunRow]:
    """Reruns of one run, or of all, oldest first."""
    where, values = ("", ()) if run is None else ("WHERE run = ?", (run,))
    return [_row(row) for row in connection.execute(f"SELECT * FROM reruns {where} ORDER BY started_at, id", values)]


def _new_id(connection: sqlite3.Connection, now: float, pid: int) -> str:
    stem = f"rerun-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{pid}"
    taken = {row["id"] for row in connection.execute("SELECT id FROM reruns WHERE id >= ?", (stem,))}
    number = 1
    while (identity := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return identity


def _row(row: sqlite3.Row) -> RerunRow:
    return RerunRow(**{name: row[name] for name in row.keys()})  # noqa: SIM118 - a sqlite3.Row iterates its values
