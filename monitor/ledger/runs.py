"""The tables `runs` and `spans`: what is known of each run, and how long its phases lasted.

Saving again what was saved changes nothing, and saving less than is known takes nothing away: a watch that was killed
and reads a truncated log anew knows less than its predecessor did.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitor.ledger import claims
from monitor.ledger.errors import AmbiguousRun, NoSuchRun
from monitor.ledger.merging import merged
from monitor.ledger.rows import RunSummary
from monitor.model.json_form import MalformedRecord, from_json, to_json
from monitor.model.run import PhaseSpan, RunState
from monitor.sources.process_mark import is_gone

NAMED = 5
"""So many names stand in the sentence about an ambiguous prefix."""
HISTORY_RUNS = 20
HISTORY_EACH = 200
"""The newest runs, and the newest durations of each phase, that limits are learned from."""

GONE_UNSEEN = "gone-unseen"
"""How a run ended whose driver is gone without any watch that saw it: known from the driver's process alone."""

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
    names = [row["name"] for row in connection.execute("SELECT name FROM runs ORDER BY started_at DESC, name")]
    found = [prefix] if prefix in names else [name for name in names if name.startswith(prefix)]
    if not found:
        raise NoSuchRun(f"the ledger knows no run whose name begins with `{prefix}`")
    if len(found) > 1:
        listed = ", ".join(found[:NAMED]) + (", …" if len(found) > NAMED else "")
        raise AmbiguousRun(f"{len(found)} runs begin with `{prefix}`: {listed}")
    row = connection.execute(f"SELECT state, ({_HUNG}) AS hung FROM runs WHERE name = ?", (found[0],)).fetchone()
    state = _read(row["state"])
    if state is None:
        raise NoSuchRun(f"the record of {found[0]} can't be read by this version", "update laststep")
    ended_at = _abandoned_at(connection, state) if state.ended_at is None else None
    if ended_at is not None:
        return replace(state, ended_at=ended_at, ended_how=GONE_UNSEEN)
    return replace(state, hung_since=row["hung"] if state.ended_at is None else None)


def runs(connection: sqlite3.Connection) -> list[RunSummary]:
    """Every run, newest first."""
    columns = "name, experiment, trainer, started_at, step, total_steps, ended_at, ended_how"
    rows = connection.execute(f"SELECT {columns}, ({_HUNG}) AS hung FROM runs ORDER BY started_at DESC, name")
    found = [RunSummary(*row) for row in rows]
    return [summary if summary.ended_at is not None else _summary_now(connection, summary) for summary in found]


def _summary_now(connection: sqlite3.Connection, summary: RunSummary) -> RunSummary:
    row = connection.execute("SELECT state FROM runs WHERE name = ?", (summary.name,)).fetchone()
    state = _read(row["state"])
    ended_at = _abandoned_at(connection, state) if state is not None else None
    if ended_at is None:
        return summary
    return replace(summary, ended_at=ended_at, ended_how=GONE_UNSEEN, hung_since=None)


def _abandoned_at(connection: sqlite3.Connection, state: RunState) -> float | None:
    """When a run that no watch saw end was last seen, None where its driver lives or can't be told to be gone.

    Derived at each reading: a watch that comes back reads the files and tells the end better than this.
    """
    mark = state.config.driver_mark
    if mark is None or not is_gone(mark) or claims.held_by(connection, claims.WATCH + state.name):
        return None
    row = connection.execute("SELECT at FROM live WHERE run = ?", (state.name,)).fetchone()
    if row is not None:
        return float(row["at"])
    return state.progress.last_moved_at if state.progress else state.started_at


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
