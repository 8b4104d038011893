"""The tables `scores`, `findings`, `checkpoints` and `live`. Each has a key of its own, so that a watch that was killed
and starts anew writes the same rows again and doubles none.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitor.ledger.rows import FindingRow, ManifestRow
from monitor.model.finding import Finding
from monitor.model.json_form import from_json, to_json
from monitor.model.score import Score

MOST_NAMES = 500
"""Names in one question: older sqlite takes at most 999."""
LIVE_ROWS = 20
"""Live documents of the newest runs are kept: they serve the screens, the other tables keep what must last."""


def add_score(connection: sqlite3.Connection, score: Score) -> bool:
    """Keep a score once per run, step, metric, source and rerun; False where it is kept already (and not changed)."""
    return _insert_score(connection, replace(score, revision=0, correction=""))


def correct_score(connection: sqlite3.Connection, score: Score, why: str) -> Score | None:
    """Keep `score` as a new record over the last one of its key; None where that one already says the same.

    A score that was never kept is kept as it is, without a correction.
    """
    row = connection.execute(
        f"SELECT revision, document FROM scores WHERE {_SAME_KEY} ORDER BY revision DESC LIMIT 1", _key(score)
    ).fetchone()
    if row is None:
        return score if add_score(connection, score) else None
    last = from_json(Score, json.loads(row["document"]))
    if (last.value, last.standing, last.reasons) == (score.value, score.standing, score.reasons):
        return None
    corrected = replace(score, revision=row["revision"] + 1, correction=why)
    return corrected if _insert_score(connection, corrected) else None


_SAME_KEY = "run = ? AND step = ? AND metric = ? AND source = ? AND rerun = ?"


def _key(score: Score) -> tuple[str, int, str, str, str]:
    return score.run, score.step, score.metric, score.provenance.source, score.provenance.rerun_id or ""


def _insert_score(connection: sqlite3.Connection, score: Score) -> bool:
    done = connection.execute(
        """INSERT OR IGNORE INTO scores (run, step, metric, source, rerun, revision, recorded_at, document)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (*_key(score), score.revision, score.recorded_at, json.dumps(to_json(score))),
    )
    return done.rowcount == 1


def scores(connection: sqlite3.Connection, runs: Sequence[str] | None, read: dict[int, Score]) -> list[Score]:
    """What holds now of these runs, or of all: the last record of each key, by run, step and then as they first came.

    `read`: records that were read before, by id; those of this reading are put in. A record never changes.
    """
    last = """SELECT id, document FROM scores {where} AND revision = (SELECT max(revision) FROM scores AS later
        WHERE later.run = scores.run AND later.step = scores.step AND later.metric = scores.metric
            AND later.source = scores.source AND later.rerun = scores.rerun)
        ORDER BY run, step, id"""
    return _read_scores(connection, last, runs, read)


def score_history(connection: sqlite3.Connection, runs: Sequence[str] | None) -> list[Score]:
    """Every record of these runs, or of all, corrected ones too: by run, step, metric, and then as they came."""
    return _read_scores(connection, "SELECT id, document FROM scores {where} ORDER BY run, step, metric, id", runs, {})


def _read_scores(
    connection: sqlite3.Connection, question: str, runs: Sequence[str] | None, read: dict[int, Score]
) -> list[Score]:
    if runs is None:
        rows = connection.execute(question.format(where="WHERE true")).fetchall()
    else:
        rows = []
        for first in range(0, len(runs), MOST_NAMES):
            part = runs[first : first + MOST_NAMES]
            where = f"WHERE run IN ({', '.join('?' * len(part))})"
            rows += connection.execute(question.format(where=where), tuple(part)).fetchall()
    found = []
    for row in rows:
        score = read.get(row["id"])
        if score is None:
            score = read[row["id"]] = from_json(Score, json.loads(row["document"]))
        found.append(score)
    return found


def save_finding(connection: sqlite3.Connection, run: str, finding: Finding, bundle: str | None, at: float) -> bool:
    """Keep a finding once while it stands, with its newest evidence and bundle. True where it is new."""
    known = connection.execute(
        "SELECT id FROM findings WHERE run = ? AND identity = ? AND withdrawn_at IS NULL", (run, finding.identity)
    ).fetchone()
    document = json.dumps(to_json(finding))
    if known:
        connection.execute(
            "UPDATE findings SET document = ?, proved = max(proved, ?), bundle = coalesce(?, bundle) WHERE id = ?",
            (document, int(finding.proved), bundle, known["id"]),
        )
        return False
    connection.execute(
        "INSERT INTO findings (run, identity, proved, found_at, bundle, document) VALUES (?, ?, ?, ?, ?, ?)",
        (run, finding.identity, int(finding.proved), at, bundle, document),
    )
    return True


def withdraw_finding(connection: sqlite3.Connection, run: str, finding: Finding, at: float) -> bool:
    """The run moved again: the finding no longer stands. False where none stood."""
    done = connection.execute(
        "UPDATE findings SET withdrawn_at = ? WHERE run = ? AND identity = ? AND withdrawn_at IS NULL",
        (at, run, finding.identity),
    )
    return done.rowcount == 1


def withdraw_older(connection: sqlite3.Connection, run: str, moved_at: float, at: float) -> int:
    """Withdraw every finding that stands and was found before the run's last progress; how many."""
    done = connection.execute(
        "UPDATE findings SET withdrawn_at = ? WHERE run = ? AND withdrawn_at IS NULL AND found_at < ?",
        (at, run, moved_at),
    )
    return done.rowcount


def findings(connection: sqlite3.Connection, run: str) -> list[FindingRow]:
    """Every finding of a run, oldest first, withdrawn ones too."""
    rows = connection.execute("SELECT * FROM findings WHERE run = ? ORDER BY found_at, id", (run,))
    return [
        FindingRow(from_json(Finding, json.loads(row["document"])), row["found_at"], row["withdrawn_at"], row["bundle"])
        for row in rows
    ]


def save_manifest(
    connection: sqlite3.Connection,
    run: str,
    step: int,
    manifest: Mapping[str, Sequence[Any]],
    fingerprint: str | None,
    at: float,
) -> bool:
    """Keep how a checkpoint lay on disk when it was complete. The first record stands; a fingerprint may come later."""
    document = json.dumps({name: list(entry) for name, entry in manifest.items()}, sort_keys=True)
    done = connection.execute(
        "INSERT OR IGNORE INTO checkpoints (run, step, manifest, fingerprint, recorded_at) VALUES (?, ?, ?, ?, ?)",
        (run, step, document, fingerprint, at),
    )
    connection.execute(
        """UPDATE checkpoints SET fingerprint = ?
        WHERE run = ? AND step = ? AND fingerprint IS NULL AND manifest = ? AND ? IS NOT NULL""",
        (fingerprint, run, step, document, fingerprint),
    )
    return done.rowcount == 1


def manifest(connection: sqlite3.Connection, run: str, step: int) -> ManifestRow | None:
    """What was recorded of a checkpoint, None where nothing was."""
    row = connection.execute("SELECT * FROM checkpoints WHERE run = ? AND step = ?", (run, step)).fetchone()
    if row is None:
        return None
    return ManifestRow(step, json.loads(row["manifest"]), row["fingerprint"], row["recorded_at"])


def write_live(connection: sqlite3.Connection, run: str, document: Mapping[str, Any]) -> None:
    """The run's live document, in place of the last one."""
    connection.execute(
        """INSERT INTO live (run, at, document) VALUES (?, ?, ?)
        ON CONFLICT (run) DO UPDATE SET at = excluded.at, document = excluded.document""",
        (run, float(document["at"]), json.dumps(document)),
    )
    connection.execute(
        "DELETE FROM live WHERE run NOT IN (SELECT run FROM live ORDER BY at DESC LIMIT ?)", (LIVE_ROWS,)
    )


def live_rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Live documents, the newest first."""
    return [json.loads(row["document"]) for row in connection.execute("SELECT document FROM live ORDER BY at DESC")]


def live(connection: sqlite3.Connection, run: str | None) -> dict[str, Any] | None:
    """The live document of `run`, or the one written last; None where there is none."""
    where, values = ("", ()) if run is None else ("WHERE run = ?", (run,))
    row = connection.execute(f"SELECT document FROM live {where} ORDER BY at DESC LIMIT 1", values).fetchone()
    return json.loads(row["document"]) if row else None
