"""Two watches at once: one holds the run, and even two that write the same records double, lose and tear nothing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from monitor.ledger.store import Ledger
from tests.ledger.killed_writer import RUN, records_of
from tests.ledger.test_kills import start_writer

HOLD = """
import sys
from pathlib import Path
from monitor.ledger.errors import WatchUnderWay
from monitor.ledger.store import Ledger
with Ledger.open(Path(sys.argv[1])) as ledger:
    try:
        with ledger.claim_watch("run"):
            print("held", flush=True)
            sys.stdin.readline()
    except WatchUnderWay as error:
        print("refused", flush=True)
"""
NUMBERS = 25


def test_two_writers_of_the_same_records_keep_each_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    writers = [start_writer(path, 0), start_writer(path, 0)]
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(NUMBERS):
            assert writer.stdout.readline().endswith("\n")
    for writer in writers:
        writer.kill()
        writer.communicate()
    with Ledger.open(path, read_only=True) as ledger:
        scores = ledger.scores(RUN)
        assert [score.step for score in scores] == list(range(len(scores))) and len(scores) >= NUMBERS
        assert all(score == records_of(score.step).score for score in scores)
        assert len(ledger.score_history(RUN)) == len(scores)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_of_many_watches_that_begin_at_once_one_holds_the_run_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    words = [sys.executable, "-c", HOLD, str(path)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    watches = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) for _ in range(4)
    ]
    said = []
    for watch in watches:
        assert watch.stdout is not None
        said.append(watch.stdout.readline().strip())
    assert sorted(said) == ["held", "refused", "refused", "refused"]
    holder = watches[said.index("held")]
    holder.kill()
    for watch in watches:
        watch.communicate()
    with Ledger.open(path) as ledger, ledger.claim_watch("run"):
        pass
