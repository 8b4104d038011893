"""The file logger's JSON lines: each step once, nothing of another attempt, an erasure said."""

from __future__ import annotations

import json
import os
from pathlib import Path

from monitor.model.fact import Fact, FactKind
from monitor.sources.file_logger import FileLoggerSource
from monitor.sources.trainer_profile import load_profile

NOW = 4e9


def _line(step: int, **data: object) -> str:
    return json.dumps({"step": step, "data": {"timing_s/gen": 1.5, **data}}) + "\n"


def _source(path: Path, not_before: float = 0.0) -> FileLoggerSource:
    return FileLoggerSource(path, load_profile("demo"), not_before)


def _steps(facts: list[Fact]) -> list[int | None]:
    return [fact.step for fact in facts if fact.kind is FactKind.STEP_END]


def test_steps_are_told_once_with_phases_and_scores(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    source = _source(path)
    assert source.poll(NOW) == []
    path.write_text(_line(20, **{"val-core/a/acc/mean@1": 0.5}))
    facts = source.poll(NOW)
    assert [fact.kind for fact in facts] == [FactKind.PHASE_END, FactKind.SCORE, FactKind.STEP_END]
    with path.open("a") as file:
        file.write(_line(20) + _line(21))
    assert _steps(source.poll(NOW)) == [21]


def test_a_half_written_line_is_read_when_it_is_whole_and_a_broken_one_skipped(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    source = _source(path)
    path.write_text(_line(1) + _line(2)[:20])
    assert _steps(source.poll(NOW)) == [1]
    with path.open("a") as file:
        file.write(_line(2)[20:] + '{"step": 3, "da\n[1]\n{"step": null}\n' + _line(4))
    assert _steps(source.poll(NOW)) == [2, 4]


def test_a_restart_that_erases_the_file_is_told_and_its_steps_are_not_this_runs(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    source = _source(path)
    path.write_text(_line(1) + _line(2))
    source.poll(NOW)
    with path.open("a") as file:
        file.write(_line(3))
    source.poll(NOW)
    path.write_text(_line(1, other=1))
    (notice,) = source.poll(NOW)
    assert notice.kind is FactKind.NOTICE and "erased" in notice.data["text"] and "up to 3" in notice.data["text"]
    with path.open("a") as file:
        file.write(_line(4))
    assert source.poll(NOW) == [], "step 4 of the other attempt"


def test_an_earlier_attempts_file_that_this_run_erases_is_read_from_its_new_beginning(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    path.write_text(_line(1) + _line(2) + _line(3))
    source = _source(path)
    source.poll(NOW)
    path.write_text(_line(1))
    assert _steps(source.poll(NOW)) == [1]


def test_a_file_cut_by_rotation_goes_on_where_its_steps_go_on(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    source = _source(path)
    path.write_text(_line(1) + _line(2))
    source.poll(NOW)
    path.write_text(_line(3))
    assert _steps(source.poll(NOW)) == [3]


def test_a_file_older_than_the_run_is_left_alone_until_the_run_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    path.write_text(_line(7))
    os.utime(path, (1000.0, 1000.0))
    source = _source(path, not_before=2000.0)
    assert source.poll(NOW) == []
    path.write_text(_line(1))
    assert _steps(source.poll(NOW)) == [1]


def _told(facts: list[Fact]) -> str:
    return "\n".join(fact.data["text"] for fact in facts if fact.kind is FactKind.NOTICE)


def test_of_two_attempts_one_after_the_other_the_last_is_told(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    first = "".join(_line(step, a=0.5) for step in (1, 2, 3))
    path.write_text(first + _line(2, a=0.75) + "torn\n" + _line(3, a=0.25) + "torn\n")
    facts = _source(path).poll(NOW)
    assert [(f.step, f.data["metrics"]["a"]) for f in facts if f.kind is FactKind.STEP_END] == [(2, 0.75), (3, 0.25)]
    assert "an earlier attempt, up to step 3" in _told(facts)


def test_a_run_that_adds_to_this_runs_file_is_told_and_its_scores_are_not(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    source = _source(path)
    path.write_text(_line(1, a=1) + _line(2, a=1) + _line(3, a=1))
    source.poll(NOW)
    with path.open("a") as file:
        file.write(_line(1, **{"a": 2, "val-core/x/acc/mean@1": 0.9}) + _line(4, **{"val-core/x/acc/mean@1": 0.9}))
    facts = source.poll(NOW)
    assert [fact.kind for fact in facts] == [FactKind.NOTICE]
    assert "begins again with step 1 after step 3" in _told(facts)


def test_two_runs_between_each_other_are_told_and_neither_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    steps = [(5, 0.5), (1, 0.9), (6, 0.5), (2, 0.9)]
    path.write_text("".join(_line(step, **{"val-core/x/acc/mean@1": score}) for step, score in steps))
    facts = _source(path).poll(NOW)
    assert [fact.kind for fact in facts] == [FactKind.NOTICE]
    assert "between each other" in _told(facts)


def test_a_step_that_is_logged_in_parts_is_no_other_run(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    path.write_text(json.dumps({"step": 1, "data": {"a": 1}}) + "\n" + _line(2) + '{"step": 1, "data": {"b": 2}}\n')
    facts = _source(path).poll(NOW)
    assert _steps(facts) == [1, 2] and _told(facts) == ""


def test_a_restart_that_puts_another_file_in_its_place_is_told_and_its_steps_are_not_this_runs(tmp_path: Path) -> None:
    path = tmp_path / "exp.jsonl"
    source = _source(path)
    path.write_text(_line(1))
    source.poll(NOW)
    with path.open("a") as file:
        file.write(_line(2))
    source.poll(NOW)
    other = tmp_path / "other.jsonl"
    other.write_text(_line(1, other=1) + _line(2, other=1) + _line(3, **{"val-core/x/acc/mean@1": 0.9}))
    other.replace(path)
    (notice,) = source.poll(NOW)
    assert notice.kind is FactKind.NOTICE and "up to 2 stand only in the ledger" in notice.data["text"]
