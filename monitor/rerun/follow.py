"""Following a rerun from the ledger, for the command line and the screens. The rerun needs no follower."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.rerun import claims

if TYPE_CHECKING:
    from monitor.ledger.rows import RerunRow
    from monitor.ledger.store import Ledger

POLL_SECONDS = 0.5


def watch_rerun(ledger: Ledger, identity: str, poll: float = POLL_SECONDS) -> Iterator[RerunRow]:
    """The rerun's row, each time it changed, until it has ended; one whose process died ends as `failed`."""
    last: RerunRow | None = None
    while True:
        claims.settle(ledger)
        row = _row(ledger, identity)
        if row != last:
            last = row
            yield row
        if row.over:
            return
        time.sleep(poll)


def _row(ledger: Ledger, identity: str) -> RerunRow:
    """The row; also where the ledger can only be read, one whose process died reads as `failed`."""
    alive = claims.alive(ledger.rerun(identity))
    row = ledger.rerun(identity)
    return row if row.over or alive else replace(row, status="failed", error=claims.died(row))
