"""Kill -9 of a ledger's writer at random moments: `python -m benchmarks.ledger_kills [--kills 200]`.

Each writer begins a few records before the last one that was said to be committed, as a restarted watch does, and is
killed up to 50 ms after it committed a new one. After each kill a reader that stays open, and a new one, look for every
record that was said to be committed: each once, whole, equal to what was written. The last line counts what was lost,
doubled or torn; the exit code is 1 where that is not 0.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from pathlib import Path

from monitor.ledger.store import Ledger
from tests.ledger.killed_writer import RUN, records_of
from tests.ledger.test_kills import kill_after, start_writer


def damages(ledger: Ledger, last: int) -> list[str]:
    """What is wrong in the ledger, where every number up to `last` was said to be committed."""
    found = []
    scores = ledger.scores(RUN)
    steps = [score.step for score in scores]
    found += [f"score {number} lost" for number in sorted(set(range(last + 1)) - set(steps))]
    found += [f"score {number} doubled" for number in sorted({step for step in steps if steps.count(step) > 1})]
    found += [f"score {score.step} torn" for score in scores if score != records_of(score.step).score]
    spans = {span.step: span for span in ledger.spans(RUN)}
    found += [
        f"phase {number} lost or torn" for number in range(last + 1) if spans.get(number) != records_of(number).span
    ]
    return found


def main() -> int:
    """So many kills; what they did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=29)
    words = parser.parse_args()
    chance = random.Random(words.seed)
    wrong: list[str] = []
    last = -1
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        with Ledger.open(path, read_only=True) as staying:
            for number in range(words.kills):
                writer = start_writer(path, max(0, last - 3))
                said = kill_after(writer, chance.uniform(0.0, 0.05), last)
                last = max(last, said if said is not None else -1)
                wrong += [f"kill {number}: {what}" for what in damages(staying, last)]
        with Ledger.open(path, read_only=True) as new:
            wrong += damages(new, last)
        with sqlite3.connect(path) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        connection.close()
        set_aside = len(list(Path(folder).glob("*.corrupt-*")))
    for what in wrong:
        print(what)
    spent = time.monotonic() - begun
    print(
        f"{words.kills} kills, {last + 1} numbers committed in {spent:.0f} s: {len(wrong)} lost, doubled or torn; "
        f"integrity {sound}, {set_aside} ledgers set aside"
    )
    return int(bool(wrong or sound != "ok" or set_aside))


if __name__ == "__main__":
    raise SystemExit(main())
