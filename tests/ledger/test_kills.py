"""Kill -9 of writers at any moment: what was committed is there, whole, once; a restarted writer goes on."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from monitor.ledger.store import Ledger
from tests.ledger.killed_writer import RUN, records_of

KILLS = 40


def start_writer(path: Path, first: int) -> subprocess.Popen[str]:
    """A process that writes records one after another and says each number once it is committed."""
    words = [sys.executable, "-m", "tests.ledger.killed_writer", str(path), str(first)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()})


def kill_after(process: subprocess.Popen[str], seconds: float, beyond: int = -1) -> int | None:
    """Kill it so long after it said a number greater than `beyond`; the last number it said."""
    assert process.stdout is not None
    first = process.stdout.readline()
    while first.endswith("\n") and int(first) <= beyond:
        first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest = process.stdout.read()
    process.wait()
    said = (first + rest).splitlines(keepends=True)
    whole = [int(line) for line in said if line.endswith("\n")]
    return whole[-1] if whole else None


def test_nothing_committed_is_lost_torn_or_doubled_by_kills(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    chance = random.Random(29)
    with Ledger.open(path, read_only=True) as reader:
        last = -1
        for _ in range(KILLS):
            # Each writer begins a few records back, as a restarted watch reads its files anew.
            said = kill_after(start_writer(path, max(0, last - 3)), chance.uniform(0.0, 0.05), last)
            last = max(last, said if said is not None else -1)
            steps = [score.step for score in reader.scores(RUN)]
            assert steps == list(range(len(steps))), "each record once, none missing"
            assert len(steps) > last, "what was said to be committed is there"
            assert reader.runs() != [] and reader.live(RUN) is not None
    assert last >= KILLS - 1
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()
    with Ledger.open(path) as ledger:
        scores, findings, spans = ledger.scores(RUN), ledger.findings(RUN), ledger.spans(RUN)
        for step in range(last + 1):
            expected = records_of(step)
            assert scores[step] == expected.score
            assert findings[step].finding == expected.finding
            assert spans[step] == expected.span
            manifest = ledger.checkpoint_manifest(RUN, step)
            assert manifest is not None and manifest.manifest == expected.manifest
    assert list(tmp_path.glob("*.corrupt-*")) == []


def test_killed_beginners_leave_a_ledger_or_none_and_never_a_broken_one(tmp_path: Path) -> None:
    chance = random.Random(7)
    for number in range(24):
        path = tmp_path / f"{number}.sqlite"
        process = start_writer(path, 0)
        while not path.exists():
            assert process.poll() is None
        time.sleep(chance.uniform(0.0, 0.01))
        process.kill()
        process.communicate()
        if number % 2:
            with Ledger.open(path, read_only=True) as reader:
                assert [run.name for run in reader.runs()] in ([], [RUN])
        with Ledger.open(path) as ledger:
            ledger.save_spans(RUN, [records_of(0).span])
    assert list(tmp_path.glob("*.corrupt-*")) == []
