"""The ledger's tables, their version, and how an older ledger becomes a newer one.

A new version adds one entry to `MIGRATIONS` and raises `SCHEMA`; statements already released are never changed. Runs on
sqlite 3.24 and later (no STRICT, no RETURNING). Documents are the JSON of the model's dataclasses; columns beside them
are only what is searched or must be unique.
"""

from __future__ import annotations

import sqlite3

SCHEMA = 2
APPLICATION_ID = 0x6C617374
"""`last` in ASCII: tells the ledger's file from another program's."""

_VERSION_1 = (
    """CREATE TABLE runs (
        name TEXT PRIMARY KEY, experiment TEXT, trainer TEXT NOT NULL, model_path TEXT, started_at REAL NOT NULL,
        step INTEGER, total_steps INTEGER, ended_at REAL, ended_how TEXT, state TEXT NOT NULL)""",
    """CREATE TABLE spans (
        run TEXT NOT NULL, step INTEGER NOT NULL, phase TEXT NOT NULL, occurrence INTEGER NOT NULL,
        began_at REAL, ended_at REAL, seconds REAL, PRIMARY KEY (run, step, phase, occurrence)) WITHOUT ROWID""",
    """CREATE TABLE scores (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, step INTEGER NOT NULL, metric TEXT NOT NULL, source TEXT NOT NULL,
        rerun TEXT NOT NULL, recorded_at REAL NOT NULL, document TEXT NOT NULL,
        UNIQUE (run, step, metric, source, rerun))""",
    """CREATE TABLE findings (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, identity TEXT NOT NULL, proved INTEGER NOT NULL,
        found_at REAL NOT NULL, withdrawn_at REAL, bundle TEXT, document TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX findings_standing ON findings (run, identity) WHERE withdrawn_at IS NULL",
    """CREATE TABLE checkpoints (
        run TEXT NOT NULL, step INTEGER NOT NULL, manifest TEXT NOT NULL, fingerprint TEXT, recorded_at REAL NOT NULL,
        PRIMARY KEY (run, step))""",
    "CREATE TABLE live (run TEXT PRIMARY KEY, at REAL NOT NULL, document TEXT NOT NULL)",
    """CREATE TABLE claims (
        name TEXT PRIMARY KEY, pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, since REAL NOT NULL)""",
    """CREATE TABLE reruns (
        id TEXT PRIMARY KEY, run TEXT NOT NULL, step INTEGER NOT NULL, recipe TEXT NOT NULL, status TEXT NOT NULL,
        pid INTEGER NOT NULL, pid_start REAL NOT NULL, start_ticks INTEGER NOT NULL, done INTEGER, total INTEGER,
        error TEXT NOT NULL, directory TEXT, started_at REAL NOT NULL, ended_at REAL)""",
    """CREATE UNIQUE INDEX reruns_under_way ON reruns (run, step, recipe)
        WHERE status NOT IN ('done', 'failed', 'cancelled')""",
)

# Corrections are records of their own, so `revision` enters the key: sqlite can only rebuild the table for that.
_VERSION_2 = (
    """CREATE TABLE scores_2 (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, step INTEGER NOT NULL, metric TEXT NOT NULL, source TEXT NOT NULL,
        rerun TEXT NOT NULL, revision INTEGER NOT NULL, recorded_at REAL NOT NULL, document TEXT NOT NULL,
        UNIQUE (run, step, metric, source, rerun, revision))""",
    """INSERT INTO scores_2 (id, run, step, metric, source, rerun, revision, recorded_at, document)
        SELECT id, run, step, metric, source, rerun, 0, recorded_at, document FROM scores""",
    "DROP TABLE scores",
    "ALTER TABLE scores_2 RENAME TO scores",
    "CREATE INDEX runs_newest ON runs (started_at DESC, name)",
    "CREATE INDEX runs_alike ON runs (trainer, started_at DESC)",
    "CREATE INDEX findings_of_run ON findings (run, found_at, id)",
    "CREATE INDEX reruns_of_run ON reruns (run, started_at)",
)

MIGRATIONS: dict[int, tuple[str, ...]] = {1: _VERSION_1, 2: _VERSION_2}
"""Version → the statements that lead to it from the version before."""


def version(connection: sqlite3.Connection) -> int:
    """The schema version of an open ledger; 0: no ledger has been made in this file yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_foreign(connection: sqlite3.Connection) -> bool:
    """True where another program's tables lie in this file."""
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    return tables > 0 and application != APPLICATION_ID


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the ledger to `SCHEMA`, in one transaction: killed at any moment it is at the old version or the new."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(version(connection) + 1, SCHEMA + 1):
            for statement in MIGRATIONS[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
