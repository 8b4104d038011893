"""The tables `scores`, `findings`, `checkpoints` and `live`. Each has a key of its own, so that a watch that was killed
and starts anew writes the same rows again and doubles none.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.ledger.rows import FindingRow, ManifestRow
from monitor.model.finding import Finding
from monitor.model.json_form import from_json, to_json
from monitor.model.score import Score

LIVE_ROWS = 20
"""Live documents of the newest runs are kept: they serve the screens, the other tables keep what must last."""


def add_score(connection: sqlite3.Connection, score: Score) -> bool:
    """Keep a score once per run, step, metric, source and rerun; False where it is kept already (and not changed)."""
    provenance = score.provenance
    key = (score.run, score.step, score.metric, provenance.source, provenance.rerun_id or "")
    done = connection.execute(
        """INSERT OR IGNORE INTO scores (run, step, metric, source, rerun, recorded_at, document)
        VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (*key, score.recorded_at, json.dumps(to_json(score))),
    )
    return done.rowcount == 1


def scores(connection: sqlite3.Connection, run: str | None) -> list[Score]:
    """Scores of one run, or of all, by step and then as they came."""
    where, values = ("", ()) if run is None else ("WHERE run = ?", (run,))
    rows = connection.execute(f"SELECT document FROM scores {where} ORDER BY run, step, id", values)
    return [from_json(Score, json.loads(row["document"])) for row in rows]


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


def live_rows(connection: sqlite3.Connection, run: str | None) -> list[dict[str, Any]]:
    """Live documents, the newest first; of one run where it is named."""
    where, values = ("", ()) if run is None else ("WHERE run = ?", (run,))
    rows = connection.execute(f"SELECT document FROM live {where} ORDER BY at DESC", values)
    return [json.loads(row["document"]) for row in rows]
