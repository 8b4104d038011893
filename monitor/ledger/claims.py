"""The table `claims`: one watch a run. A claim whose process is dead is taken over."""

from __future__ import annotations

import sqlite3

from monitor.ledger import process_identity
from monitor.ledger.rows import Holder

WATCH = "watch:"
"""Before the run's name: the claim of its watch."""


def take(connection: sqlite3.Connection, name: str, pid: int, now: float) -> Holder | None:
    """Take the claim `name` for `pid`; None where it was taken, else the other process that lives and holds it."""
    holder = held_by(connection, name)
    ticks = process_identity.start_ticks(pid)
    if holder is not None and (holder.pid, holder.start_ticks) != (pid, ticks):
        return holder
    connection.execute(
        """INSERT INTO claims (name, pid, start_ticks, since) VALUES (?, ?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET pid = excluded.pid, start_ticks = excluded.start_ticks,
            since = excluded.since""",
        (name, pid, ticks, now),
    )
    return None


def release(connection: sqlite3.Connection, name: str, pid: int) -> None:
    """Give the claim back, where it is this process's."""
    connection.execute("DELETE FROM claims WHERE name = ? AND pid = ?", (name, pid))


def held_by(connection: sqlite3.Connection, name: str) -> Holder | None:
    """The process that lives and holds the claim, None where none does."""
    row = connection.execute("SELECT pid, start_ticks, since FROM claims WHERE name = ?", (name,)).fetchone()
    holder = Holder(*row) if row else None
    return holder if holder and process_identity.alive(holder.pid, holder.start_ticks) else None


def names(connection: sqlite3.Connection) -> list[str]:
    """Every claim, held or left behind."""
    return [row["name"] for row in connection.execute("SELECT name FROM claims ORDER BY name")]
