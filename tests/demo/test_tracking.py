"""What the trackers write has verl's form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.demo.tracking import FILE_LOGGER_PATH, FILE_LOGGER_ROOT, ProgressBar, Tracking


def test_a_step_is_one_console_line_and_one_json_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(FILE_LOGGER_PATH, raising=False)
    monkeypatch.setenv(FILE_LOGGER_ROOT, str(tmp_path))
    tracking = Tracking("project", "experiment")
    tracking.log({"val-core/arithmetic/acc/mean@1": 0.5, "timing_s/gen": 2.0}, 7)
    assert capsys.readouterr().out == "step:7 - val-core/arithmetic/acc/mean@1:0.5 - timing_s/gen:2.0\n"
    line = json.loads((tmp_path / "project" / "experiment.jsonl").read_text())
    assert line == {"step": 7, "data": {"val-core/arithmetic/acc/mean@1": 0.5, "timing_s/gen": 2.0}}
    tracking.finish()


def test_the_path_variable_wins_over_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILE_LOGGER_ROOT, str(tmp_path / "root"))
    monkeypatch.setenv(FILE_LOGGER_PATH, str(tmp_path / "here.jsonl"))
    Tracking("project", "experiment").finish()
    assert (tmp_path / "here.jsonl").exists()
    assert not (tmp_path / "root").exists()


def test_a_redrawn_bar_keeps_its_count(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar(29)
    bar.redraw()
    bar.advance()
    bar.redraw()
    counts = [part.split("[")[0].rsplit("|", 1)[1].strip() for part in capsys.readouterr().err.split("\r")[1:]]
    assert counts == ["0/29", "1/29", "1/29"]
