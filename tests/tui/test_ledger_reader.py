"""The real ledger as the screens take it: everything of a run in one reading, and every kind of trouble said."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.ledger.store import Ledger
from monitor.model.score import Standing
from monitor.tui.feed import Feed
from monitor.tui.ledger_reader import LIST_SECONDS, ledger_opener
from tests.tui import examples

HANGS_SINCE = examples.NOW - 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with the hanging example."""
    file = tmp_path / "ledger.sqlite"
    with Ledger.open(file) as ledger:
        ledger.save_run(examples.hanging().live.run)  # type: ignore[union-attr]
        for score in examples.scores():
            ledger.add_score(score)
        ledger.save_finding(examples.RUN, examples.finding(), examples.BUNDLE, HANGS_SINCE)
        ledger.write_live(examples.RUN, examples.document(bundle=examples.BUNDLE))
    return file


def test_one_reading_has_all_of_the_run(path: Path) -> None:
    reader = ledger_opener(path)()
    data = reader.read(None, examples.NOW)
    reader.close()
    assert data.run == examples.RUN
    assert data.live is not None
    assert data.live.run.step == 29
    assert [score.step for score in data.own_scores] == [0, 20]
    assert [row.finding.hang_class for row in data.findings] == ["control-queue"]
    assert data.findings[0].bundle == examples.BUNDLE
    assert data.watch_alive is False


def test_what_is_written_is_seen_at_the_next_reading(path: Path) -> None:
    reader = ledger_opener(path)()
    reader.read(None, examples.NOW)
    with Ledger.open(path) as ledger:
        ledger.write_live(examples.RUN, examples.document(at=examples.NOW + 1))
        with ledger.claim_watch(examples.RUN):
            data = reader.read(None, examples.NOW + 1)
    reader.close()
    assert data.live is not None
    assert data.live.at == examples.NOW + 1
    assert data.watch_alive is True


def test_an_unchanged_ledger_gives_the_same_data_with_a_later_clock(path: Path) -> None:
    reader = ledger_opener(path)()
    first = reader.read(None, examples.NOW)
    assert reader.read(None, examples.NOW + 1) == replace(first, now=examples.NOW + 1)
    reader.close()


def test_a_hang_without_its_final_score_is_missing_final(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.save_run(replace(ledger.run(examples.RUN), hung_since=HANGS_SINCE))
    data = Feed(ledger_opener(path), None).read_once()
    assert data.row is not None
    assert data.row.standing == (Standing.MISSING_FINAL,)
    assert "missing-final" in data.row.reasons[0]


def test_a_rerun_whose_process_is_gone_has_failed(path: Path) -> None:
    with Ledger.open(path) as ledger:
        child = os.fork()
        if child == 0:
            os._exit(0)
        ledger.claim_rerun(examples.RUN, 29, "mxfp4_w4a4", child)
        os.waitpid(child, 0)
    row = Feed(ledger_opener(path), None).read_once().reruns[0]
    assert (row.status, row.over) == ("failed", True)
    assert str(child) in row.error


def test_where_no_ledger_was_begun_the_screen_is_empty(tmp_path: Path) -> None:
    data = Feed(ledger_opener(tmp_path / "none.sqlite"), None).read_once()
    assert (data.run, data.live, data.runs) == (None, None, ())


def test_a_damaged_ledger_is_said_and_nothing_is_printed(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(b"no database at all" * 1000)
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    data = Feed(ledger_opener(path), None).read_once()
    assert data.ledger_problem or data.notices
    assert capfd.readouterr() == ("", "")


def test_a_live_document_of_another_version_is_said(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.write_live(examples.RUN, {**examples.document(), "schema": 9})
    data = Feed(ledger_opener(path), None).read_once()
    assert data.live is None
    assert "schema 9" in data.live_problem
    assert data.run == examples.RUN


def test_control_sequences_in_the_ledger_are_clean_in_the_data(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.write_live(examples.RUN, examples.document(log={"path": "/x\x1b[2J", "tail": ["\x1b]0;t\x07line"]}))
    live = Feed(ledger_opener(path), None).read_once().live
    assert live is not None
    assert (live.log.path, live.log.tail) == ("/x", ("line",))


def test_what_did_not_change_in_the_live_document_is_taken_over_as_it_was(path: Path) -> None:
    reader = ledger_opener(path)()
    first = reader.read(None, examples.NOW).live
    with Ledger.open(path) as ledger:
        moved = replace(examples.state(), progress=replace(examples.state().progress, facts=1))  # type: ignore[type-var]
        ledger.write_live(examples.RUN, examples.document(moved, at=examples.NOW + 1))
    second = reader.read(None, examples.NOW + 1).live
    reader.close()
    assert first is not None and second is not None and second.run.progress is not None
    assert second.run.spans is first.run.spans and second.log is first.log
    assert (second.at, second.run.progress.facts) == (examples.NOW + 1, 1)


def test_the_list_of_runs_is_read_when_the_run_takes_a_turn_and_every_few_seconds(path: Path) -> None:
    reader = ledger_opener(path)()
    first = reader.read(None, examples.NOW)
    with Ledger.open(path) as ledger:
        ledger.save_run(replace(examples.state(), name="another"))
        ledger.write_live(examples.RUN, examples.document(at=examples.NOW + 1))
        assert reader.read(None, examples.NOW + 1).runs is first.runs
        ledger.write_live(examples.RUN, examples.document(replace(examples.state(), phase="gen"), at=examples.NOW + 2))
        assert "another" in [row.name for row in reader.read(None, examples.NOW + 2).runs]
        ledger.save_run(replace(examples.state(), name="a third"))
        later = reader.read(None, examples.NOW + 2 + LIST_SECONDS)
    reader.close()
    assert "a third" in [row.name for row in later.runs]
