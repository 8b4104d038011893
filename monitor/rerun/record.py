"""What a rerun writes: its row in the ledger (claim, progress, end), its score, and the documents in its folder."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.ledger.errors import LedgerError
from monitor.model.score import Score
from monitor.rerun import claims
from monitor.rerun.plan import RerunPlan

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger


def claim(ledger: Ledger, plan: RerunPlan) -> str:
    """Take the lock of this score under our own pid; the rerun's id. Raises `RerunUnderWay`."""
    claims.settle(ledger)
    identity = ledger.claim_rerun(plan.run, plan.step, plan.recipe_label, os.getpid())
    ledger.update_rerun(identity, status="running", directory=plan.out_directory)
    return identity


def progress(ledger: Ledger, identity: str, done: int, total: int) -> None:
    """Samples done and expected, so far. A ledger that is busy or full now is no reason to end an evaluation."""
    if total:
        with contextlib.suppress(LedgerError):
            ledger.update_rerun(identity, done=done, total=total)


def verifying(ledger: Ledger, identity: str) -> None:
    """The evaluation ended; its result is being checked."""
    ledger.update_rerun(identity, status="verifying")


def done(ledger: Ledger, identity: str, score: Score) -> None:
    """The score, then the end: a rerun that says `done` has its score in the ledger."""
    ledger.add_score(score)
    rows = score.provenance.rows
    ledger.update_rerun(identity, status="done", done=rows, total=score.provenance.rows_expected)


def end(ledger: Ledger, identity: str, status: str, sentence: str) -> None:
    """An end without a score."""
    ledger.update_rerun(identity, status=status, error=sentence)


def write_document(plan: RerunPlan, name: str, document: Any) -> None:
    """A JSON document in the rerun's folder, whole or not at all."""
    path = Path(plan.out_directory) / name
    unfinished = path.with_name(name + ".unfinished")
    unfinished.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
