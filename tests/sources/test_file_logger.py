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
