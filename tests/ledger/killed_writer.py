"""A process that writes to a ledger until it is killed: `python -m tests.ledger.killed_writer LEDGER FIRST`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.ledger.store import Ledger
from monitor.model.finding import Culprit, Finding
from monitor.model.run import PhaseSpan
from monitor.model.score import Score
from tests.ledger import examples

RUN = examples.RUN


@dataclass(frozen=True)
class Records:
    """All that one number stands for."""

    score: Score
    finding: Finding
    span: PhaseSpan
    manifest: dict[str, list[Any]]


def records_of(number: int) -> Records:
    """The same records for the same number, whoever writes them."""
    return Records(
        examples.score(number, value=number / 1000),
        Finding("self-get", True, f"number {number}", Culprit(pid=number), None, None, (), ()),
        PhaseSpan(number, "gen", float(number), number + 1.0, 1.0),
        {f"model_{number}.pt": [number, "ab"]},
    )


def main(path: Path, first: int) -> None:
    """Write on and on; a number is said once all of its records are committed."""
    with Ledger.open(path) as ledger:
        number = first
        while True:
            records = records_of(number)
            ledger.save_run(replace(examples.run(), step=number))
            ledger.save_finding(RUN, records.finding, None, float(number))
            ledger.save_spans(RUN, [records.span])
            ledger.save_checkpoint_manifest(RUN, number, records.manifest)
            ledger.write_live(RUN, {"at": float(number), "number": number})
            ledger.add_score(records.score)
            print(number, flush=True)
            number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
