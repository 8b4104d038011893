"""The ledger's file: damaged, missing, replaced, newer, unwritable, on a full disk; readers that block nobody."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.ledger import schema
from monitor.ledger.database import Database
from monitor.ledger.errors import LedgerBusy, LedgerCorrupt, LedgerError, LedgerFull, LedgerReadOnly
from monitor.ledger.store import Ledger
from monitor.model.run import RunConfig, RunState
from tests.ledger import examples
from tests.ledger.examples import RUN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be begun."""
    return tmp_path / "ledger.sqlite"


def begun(path: Path, scores: int = 200) -> None:
    """A ledger with a run and scores, closed."""
    with Ledger.open(path) as ledger:
        ledger.save_run(examples.run())
        for step in range(scores):
            ledger.add_score(examples.score(step))


def set_aside(path: Path) -> list[Path]:
    """Ledgers that were set aside, without their logs."""
    return [item for item in path.parent.glob("*.corrupt-*") if not item.name.endswith(("-wal", "-shm"))]


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no ledger" * 1000)


def cut_in_half(path: Path) -> None:
    begun(path)
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def torn_page(path: Path) -> None:
    begun(path)
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 4)


def another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


DAMAGES = [garbage, cut_in_half, torn_page, another_program]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_is_set_aside_whole_and_said_and_a_new_one_is_begun(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    content = path.read_bytes()
    said: list[str] = []
    with Ledger.open(path, say=said.append) as ledger:
        assert ledger.runs() == []
        ledger.save_run(examples.run())
        assert ledger.notices == tuple(said)
    (kept,) = set_aside(path)
    assert kept.read_bytes() == content
    assert len(said) == 1 and str(kept) in said[0]
    with Ledger.open(path, say=said.append) as ledger:
        assert [run.name for run in ledger.runs()] == [RUN]
    assert len(said) == 1


def test_a_reader_of_a_ledger_that_is_none_sets_it_aside_and_sees_no_runs(path: Path) -> None:
    garbage(path)
    said: list[str] = []
    with Ledger.open(path, read_only=True, say=said.append) as ledger:
        assert ledger.runs() == []
    assert len(set_aside(path)) == len(said) == 1


def test_damage_met_while_open_is_one_sentence_and_the_next_call_begins_anew(path: Path) -> None:
    begun(path, scores=2000)
    said: list[str] = []
    with Ledger.open(path, say=said.append) as ledger:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        with pytest.raises(LedgerCorrupt, match="damaged"):
            ledger.scores()
        assert ledger.scores() == []
        ledger.save_run(examples.run())
    assert len(set_aside(path)) == 1


def test_an_empty_file_is_a_ledger_that_was_not_begun(path: Path) -> None:
    path.touch()
    with Ledger.open(path) as ledger:
        assert ledger.runs() == []
    assert set_aside(path) == []


def test_a_lock_held_by_another_process_is_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(path)
    monkeypatch.setattr("monitor.ledger.database.BUSY_SECONDS", 0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Ledger.open(path) as ledger:
        assert len(ledger.scores()) == 200
        with pytest.raises(LedgerBusy, match="locked"):
            ledger.save_run(examples.run())
        holder.execute("ROLLBACK")
        ledger.save_run(examples.run())
    holder.close()
    assert set_aside(path) == []


def test_a_reader_never_holds_up_a_writer_and_sees_what_was_committed(path: Path) -> None:
    begun(path, scores=0)
    database = Database(path, read_only=True)
    with Ledger.open(path) as writer, database.read() as reading:
        before = reading.execute("SELECT count(*) FROM scores").fetchone()[0]
        writer.add_score(examples.score())
        during = reading.execute("SELECT count(*) FROM scores").fetchone()[0]
    with database.read() as reading:
        after = reading.execute("SELECT count(*) FROM scores").fetchone()[0]
    database.close()
    assert (before, during, after) == (0, 0, 1)


def test_a_reader_can_not_write(path: Path) -> None:
    begun(path)
    with Ledger.open(path, read_only=True) as ledger, pytest.raises(LedgerReadOnly, match="reading only"):
        ledger.save_run(examples.run())
    database = Database(path, read_only=True)
    with pytest.raises(LedgerReadOnly), database.read() as connection:
        connection.execute("DELETE FROM scores")
    database.close()


def test_a_reader_that_came_first_sees_the_ledger_once_it_is_begun(path: Path) -> None:
    with Ledger.open(path, read_only=True) as reader:
        assert (reader.runs(), reader.live(), reader.scores()) == ([], None, [])
        assert not path.exists()
        path.touch()
        assert reader.runs() == []
        begun(path)
        assert [run.name for run in reader.runs()] == [RUN]


def test_reader_and_writer_follow_a_ledger_that_was_replaced(path: Path) -> None:
    begun(path)
    with Ledger.open(path) as writer, Ledger.open(path, read_only=True) as reader:
        for ending in ("", "-wal", "-shm"):
            os.rename(f"{path}{ending}", f"{path}.gone{ending}")
        writer.save_run(RunState("anew", RunConfig(), 1.0))
        writer.save_spans(RUN, examples.run().spans)
        assert [run.name for run in reader.runs()] == ["anew"]


def test_a_ledger_of_a_newer_laststep_is_read_and_said_and_not_written(path: Path) -> None:
    begun(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA + 1}")
    connection.close()
    said: list[str] = []
    with Ledger.open(path, say=said.append) as ledger:
        assert not ledger.writable
        assert len(ledger.scores()) == 200
        with pytest.raises(LedgerReadOnly):
            ledger.save_run(examples.run())
    assert len(said) == 1 and "newer laststep" in said[0]
    assert set_aside(path) == []


def test_an_older_ledger_becomes_a_newer_one_and_keeps_its_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(path)
    newer = schema.SCHEMA + 1
    monkeypatch.setattr(schema, "SCHEMA", newer)
    monkeypatch.setitem(schema.MIGRATIONS, newer, ("ALTER TABLE scores ADD COLUMN added TEXT",))
    with Ledger.open(path, read_only=True) as reader:
        assert len(reader.scores()) == 200
    with sqlite3.connect(path) as connection:
        assert schema.version(connection) == newer
        assert "added" in {row[1] for row in connection.execute("PRAGMA table_info(scores)")}
    connection.close()


def test_a_migration_that_fails_leaves_the_older_version_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(path)
    newer = schema.SCHEMA + 1
    monkeypatch.setattr(schema, "SCHEMA", newer)
    monkeypatch.setitem(schema.MIGRATIONS, newer, ("ALTER TABLE scores ADD COLUMN added TEXT", "THIS IS NO SQL"))
    with pytest.raises(sqlite3.OperationalError, match="syntax"):
        Ledger.open(path)
    monkeypatch.undo()
    with Ledger.open(path) as ledger:
        assert len(ledger.scores()) == 200
    with sqlite3.connect(path) as connection:
        assert "added" not in {row[1] for row in connection.execute("PRAGMA table_info(scores)")}
    connection.close()


def test_a_full_ledger_is_one_clear_error_and_nothing_is_torn_or_lost(path: Path) -> None:
    begun(path, scores=0)
    kept = 0
    with Ledger.open(path) as ledger:
        with ledger._database.read() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + 30}")
        with pytest.raises(LedgerFull, match="full") as raised:
            for step in range(10_000):
                ledger.add_score(examples.score(step))
                kept += 1
        assert "nothing written so far is lost" in raised.value.HELP_TEXT
        assert len(ledger.scores()) == kept > 0
        with ledger._database.read() as connection:
            connection.execute(f"PRAGMA max_page_count = {pages + 3000}")
        ledger.add_score(examples.score(kept))
    with Ledger.open(path) as ledger:
        assert [score.step for score in ledger.scores()] == list(range(kept + 1))


def test_a_folder_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="can't be opened"):
        Ledger.open(tmp_path / "file" / "ledger.sqlite")


def test_the_ledger_can_be_read_by_its_owner_only(path: Path) -> None:
    begun(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_default_ledger_lies_in_the_state_directory(own_folders: Path) -> None:
    with Ledger.open() as ledger:
        assert ledger.path == own_folders / "state" / "laststep" / "ledger.sqlite"
