"""The tables `runs` and `spans`: what is known of each run, and how long its phases lasted.

Saving again what was saved changes nothing, and saving less than is known takes nothing away: a watch that was killed
and reads a truncated log anew knows less than its predecessor did.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from monitor.ledger.abandoned import as_it_stands
from monitor.ledger.errors import AmbiguousRun, NoSuchRun
from monitor.ledger.merging import merged
from monitor.ledger.rows import RunSummary
from monitor.model.json_form import MalformedRecord, from_json, to_json
from monitor.model.run import PhaseSpan, RunState

NAMED = 5
"""So many names stand in the sentence about an ambiguous prefix."""
LAST_CHARACTER = "\U0010ffff"
"""Sorts behind every character of a name."""
HISTORY_RUNS = 20
HISTORY_EACH = 200
"""The newest runs, and the newest durations of each phase, that limits are learned from."""

_HUNG = "SELECT min(found_at) FROM findings WHERE run = runs.name AND proved AND withdrawn_at IS NULL"

_UPSERT_RUN = """
    INSERT INTO runs (name, experiment, trainer, model_path, started_at, step, total_steps, ended_at, ended_how, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET experiment = excluded.experiment, trainer = excluded.trainer,
        model_path = excluded.model_path, started_at = excluded.started_at, step = excluded.step,
        total_steps = excluded.total_steps, ended_at = excluded.ended_at, ended_how = excluded.ended_how,
        state = excluded.state"""

_UPSERT_SPAN = """
    INSERT INTO spans (run, step, phase, occurrence, began_at, ended_at, seconds) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run, step, phase, occurrence) DO UPDATE SET
        began_at = min(coalesce(began_at, excluded.began_at), coalesce(excluded.began_at, began_at)),
        ended_at = min(coalesce(ended_at, excluded.ended_at), coalesce(excluded.ended_at, ended_at)),
        seconds = coalesce(excluded.seconds, seconds)"""


@dataclass(frozen=True)
class SavedRun:
    """A run as it was written."""

    state: RunState
    document: str


def save_run(connection: sqlite3.Connection, state: RunState, last: SavedRun | None = None) -> SavedRun:
    """Keep `state`, joined with what is known of the run already. `last`: what this gave last, to be read but once."""
    row = connection.execute("SELECT state FROM runs WHERE name = ?", (state.name,)).fetchone()
    if row and last is not None and last.document == row["state"]:
        known: RunState | None = last.state
    else:
        known = _read(row["state"]) if row else None
    kept = replace(merged(known, state) if known else state, hung_since=None)
    config = kept.config
    columns = (kept.name, config.experiment, kept.trainer, config.model_path, kept.started_at, kept.step)
    ends = (kept.final_step, kept.ended_at, kept.ended_how)
    document = json.dumps(to_json(kept))
    connection.execute(_UPSERT_RUN, (*columns, *ends, document))
    return SavedRun(kept, document)


def run(connection: sqlite3.Connection, prefix: str) -> RunState:
    """The run of this name, else the only one whose name begins so. Raises `NoSuchRun`, `AmbiguousRun`."""
    found = _named(connection, prefix)
    if not found:
        raise NoSuchRun(f"the ledger knows no run whose name begins with `{prefix}`")
    if len(found) > 1:
        listed = ", ".join(found[:NAMED]) + (", …" if len(found) > NAMED else "")
        raise AmbiguousRun(f"{len(found)} runs begin with `{prefix}`: {listed}")
    row = connection.execute(f"SELECT state, ({_HUNG}) AS hung FROM runs WHERE name = ?", (found[0],)).fetchone()
    state = _read(row["state"])
    if state is None:
        raise NoSuchRun(f"the record of {found[0]} can't be read by this version", "update laststep")
    return as_it_stands(connection, state, row["hung"])


def _named(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """The run of this name alone, else all whose names begin so, newest first."""
    if connection.execute("SELECT 1 FROM runs WHERE name = ?", (prefix,)).fetchone():
        return [prefix]
    span = (prefix, prefix + LAST_CHARACTER)
    rows = connection.execute(
        "SELECT name FROM runs WHERE name >= ? AND name <= ? ORDER BY started_at DESC, name", span
    )
    return [row["name"] for row in rows if row["name"].startswith(prefix)]


def states(
    connection: sqlite3.Connection, names: Sequence[str], read: dict[str, tuple[str, RunState]]
) -> dict[str, RunState]:
    """What is known of these runs, by their whole names; those that are not known or can't be read are left out.

    `read`: documents that were read before with what they became, by run; those of this reading are put in.
    """
    known: dict[str, RunState] = {}
    for name in names:
        row = connection.execute(f"SELECT state, ({_HUNG}) AS hung FROM runs WHERE name = ?", (name,)).fetchone()
        if row is None:
            continue
        document, state = read.get(name, ("", None))
        if state is None or document != row["state"]:
            state = _read(row["state"])
        if state is not None:
            read[name] = (row["state"], state)
            known[name] = as_it_stands(connection, state, row["hung"])
    return known


def runs(
    connection: sqlite3.Connection,
    read: dict[str, tuple[str, RunState]],
    limit: int | None = None,
    offset: int = 0,
) -> list[RunSummary]:
    """Every run, newest first; or `limit` of them after the first `offset`. `read`: as in `states`."""
    columns = "name, experiment, trainer, started_at, step, total_steps, ended_at, ended_how"
    question = f"SELECT {columns}, ({_HUNG}) AS hung FROM runs ORDER BY started_at DESC, name LIMIT ? OFFSET ?"
    rows = connection.execute(question, (-1 if limit is None else limit, offset))
    summaries = [RunSummary(*row) for row in rows]
    now = states(connection, [item.name for item in summaries if item.ended_at is None], read)
    return [_with_end_of(now[item.name], item) if item.name in now else item for item in summaries]


def _with_end_of(state: RunState, summary: RunSummary) -> RunSummary:
    return replace(summary, ended_at=state.ended_at, ended_how=state.ended_how, hung_since=state.hung_since)


def save_spans(connection: sqlite3.Connection, run: str, spans: Iterable[PhaseSpan]) -> None:
    """Keep phases: the earliest begin and end ever told of each. Inferred ends may be taken back: they are not kept."""
    rows = [
        (span.step, span.phase, span.occurrence, span.began_at, None if span.inferred else span.ended_at, span.seconds)
        for span in spans
    ]
    connection.executemany(_UPSERT_SPAN, [(run, *row) for row in rows])


def spans(connection: sqlite3.Connection, run: str) -> list[PhaseSpan]:
    """Every phase of a run, oldest first."""
    columns = "step, phase, began_at, ended_at, seconds, occurrence"
    order = "ORDER BY step, coalesce(began_at, ended_at), phase, occurrence"
    rows = connection.execute(f"SELECT {columns} FROM spans WHERE run = ? {order}", (run,))
    return [PhaseSpan(*row) for row in rows]


def phase_history(connection: sqlite3.Connection, state: RunState) -> dict[str, list[float]]:
    """Seconds of every phase in earlier runs that compare with this one; its own are not among them.

    Those of the same trainer with the same experiment or the same start model: another model's phases may last a
    hundred times as long and teach wrong limits.
    """
    earlier = """SELECT name FROM runs WHERE name <> ? AND trainer = ? AND (experiment = ? OR model_path = ?)
        ORDER BY started_at DESC LIMIT ?"""
    rows = connection.execute(
        f"""SELECT phase, seconds FROM spans WHERE seconds IS NOT NULL AND run IN ({earlier})
        ORDER BY coalesce(ended_at, 0) DESC""",
        (state.name, state.trainer, state.config.experiment, state.config.model_path, HISTORY_RUNS),
    )
    history: dict[str, list[float]] = {}
    for row in rows:
        known = history.setdefault(row["phase"], [])
        if len(known) < HISTORY_EACH:
            known.append(row["seconds"])
    return history


def _read(document: str) -> RunState | None:
    try:
        return from_json(RunState, json.loads(document))
    except (MalformedRecord, ValueError):
        return None
