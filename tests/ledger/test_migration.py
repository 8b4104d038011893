"""A ledger that version 1 wrote, kept as SQL: every row of it is there after the migration, whoever opens it."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.ledger import schema
from monitor.ledger.store import Ledger
from monitor.model.score import Standing
from tests.ledger import examples

KEPT = Path(__file__).parent.parent / "golden" / "ledger-v1.sql"
NAMES = ["grpo-20260102T000000Z", "grpo-20260101T000000Z"]
OPEN = "import sys; from pathlib import Path; from monitor.ledger.store import Ledger; Ledger.open(Path(sys.argv[1]))"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The ledger of version 1 as a file."""
    file = tmp_path / "ledger.sqlite"
    restore(file)
    return file


def restore(file: Path) -> None:
    """Write the kept ledger to `file`."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(KEPT.read_text())
        assert schema.version(connection) == 1


def opener(file: Path) -> subprocess.Popen[bytes]:
    """A process that opens the ledger for writing, and ends."""
    return subprocess.Popen([sys.executable, "-c", OPEN, str(file)], env={**os.environ, "PYTHONPATH": os.getcwd()})


def all_rows(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's rows, without what the newer version added."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {}
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "revision"]
            rows[table] = sorted(connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall())
        return rows


@pytest.mark.parametrize("read_only", [False, True])
def test_every_row_of_version_1_is_there_after_the_migration(path: Path, read_only: bool) -> None:
    before = all_rows(path)
    with Ledger.open(path, read_only=read_only) as ledger:
        assert [run.name for run in ledger.runs()] == NAMES
        assert [score.value for score in ledger.scores(NAMES[0])] == [0.1, 0.55, 0.71, 0.70]
        assert all(score.revision == 0 for score in ledger.scores())
        assert len(ledger.findings(NAMES[0])) == len(ledger.spans(NAMES[0])) == 1
    assert all_rows(path) == before
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert schema.version(connection) == schema.SCHEMA
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_migrated_ledger_takes_corrections_and_keeps_what_they_correct(path: Path) -> None:
    with Ledger.open(path) as ledger:
        (first,) = (item for item in ledger.scores(NAMES[0]) if item.step == 20)
        better = replace(first, standing=(Standing.NOT_FINAL,), reasons=("not-final: of step 20",))
        assert ledger.correct_score(better, "its attestation came") is not None
        history = [item for item in ledger.score_history(NAMES[0]) if item.step == 20]
        assert [item.standing for item in history] == [(Standing.UNPROVEN,), (Standing.NOT_FINAL,)]


def test_a_new_ledger_and_a_migrated_one_have_the_same_tables(path: Path, tmp_path: Path) -> None:
    def shape(file: Path) -> list[tuple[str, str]]:
        with Ledger.open(file):
            pass
        with contextlib.closing(sqlite3.connect(file)) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
            return [(name, " ".join(sql.split())) for name, sql in rows]

    assert shape(path) == shape(tmp_path / "new.sqlite")


def test_a_migration_killed_at_any_moment_is_done_or_not_begun(tmp_path: Path) -> None:
    chance = random.Random(29)
    for number in range(12):
        file = tmp_path / f"{number}.sqlite"
        restore(file)
        before = all_rows(file)
        process = subprocess.Popen(
            [sys.executable, "-c", OPEN, str(file)], env={**os.environ, "PYTHONPATH": os.getcwd()}
        )
        time.sleep(chance.uniform(0.1, 0.5))
        process.kill()
        process.wait()
        with Ledger.open(file) as ledger:
            assert [run.name for run in ledger.runs()] == NAMES
        assert all_rows(file) == before
    assert list(tmp_path.glob("*.corrupt-*")) == []


def test_two_that_open_an_older_ledger_at_once_migrate_it_once(path: Path) -> None:
    before = all_rows(path)
    openers = [opener(path) for _ in range(3)]
    assert [process.wait(60) for process in openers] == [0, 0, 0]
    assert all_rows(path) == before


def test_corrections_are_new_records_and_the_same_again_is_none(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.save_run(examples.run())
        first = replace(examples.score(), standing=(Standing.UNPROVEN,), reasons=("unproven: so",))
        assert ledger.add_score(first)
        assert ledger.correct_score(first, "again") is None
        valid = replace(first, standing=(Standing.VALID,), reasons=("valid: all",))
        corrected = ledger.correct_score(valid, "its attestation came")
        assert corrected is not None and corrected.revision == 1
        assert ledger.correct_score(valid, "again") is None
        assert ledger.scores() == [corrected]
        assert ledger.score_history() == [first, corrected]
        assert not ledger.add_score(first), "the first record is kept already"
        assert ledger.scores() == [corrected]
        new = examples.score(20)
        assert ledger.correct_score(new, "nothing to correct") == new
