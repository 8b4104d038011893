"""Validation dumps: rows counted once as they come, odd rows told, dumps of an earlier attempt left alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

from monitor.sources.dumps import DumpSource

NOW = 4e9


def _rows(count: int, score: float = 1.0) -> str:
    return "".join(json.dumps({"input": "a", "output": "b", "score": score, "step": 20}) + "\n" for _ in range(count))


def test_a_dump_is_told_whenever_it_has_more_rows(tmp_path: Path) -> None:
    source = DumpSource(tmp_path)
    path = tmp_path / "20.jsonl"
    path.write_text(_rows(3) + _rows(1, 0.0) + '{"input": "half')
    (fact,) = source.poll(NOW)
    assert (fact.step, fact.data["rows"], fact.data["mean_score"], fact.data["path"]) == (20, 4, 0.75, str(path))
    assert source.poll(NOW) == []
    with path.open("a") as file:
        file.write(' of a row"}\n')
    (fact,) = source.poll(NOW)
    assert (fact.data["rows"], fact.data["mean_score"]) == (5, 0.75)


def test_rows_that_are_none_are_counted_apart(tmp_path: Path) -> None:
    (tmp_path / "29.jsonl").write_text("not json\n[1]\n" + _rows(2))
    (fact,) = DumpSource(tmp_path).poll(NOW)
    assert (fact.data["rows"], fact.data["bad_rows"]) == (2, 2)


def test_a_dump_written_anew_is_counted_anew(tmp_path: Path) -> None:
    source = DumpSource(tmp_path)
    path = tmp_path / "20.jsonl"
    path.write_text(_rows(5))
    source.poll(NOW)
    path.write_text(_rows(2, 0.0))
    (fact,) = source.poll(NOW)
    assert (fact.data["rows"], fact.data["mean_score"]) == (2, 0.0)


def test_other_files_a_missing_folder_and_an_earlier_attempts_dump_are_no_dump(tmp_path: Path) -> None:
    assert DumpSource(tmp_path / "none").poll(NOW) == []
    (tmp_path / "notes.jsonl").write_text(_rows(1))
    (tmp_path / "20.txt").write_text(_rows(1))
    (tmp_path / "30.jsonl").mkdir()
    old = tmp_path / "20.jsonl"
    old.write_text(_rows(1))
    os.utime(old, (1000.0, 1000.0))
    source = DumpSource(tmp_path, not_before=2000.0)
    assert source.poll(NOW) == []
    old.write_text(_rows(2))
    assert [fact.data["rows"] for fact in source.poll(NOW)] == [2]


def test_a_row_longer_than_a_line_may_be_still_counts(tmp_path: Path) -> None:
    (tmp_path / "20.jsonl").write_text(json.dumps({"output": "x" * (3 << 20), "score": 1.0}) + "\n" + _rows(1, 0.5))
    (fact,) = DumpSource(tmp_path).poll(NOW)
    assert (fact.data["rows"], fact.data["mean_score"]) == (2, 0.5)
