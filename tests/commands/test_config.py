"""`laststep config`: each value with its source; a typo with its place and the right word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.test_cli import laststep


def own(folder: Path, text: str) -> None:
    (folder / "laststep").mkdir()
    (folder / "laststep" / "monitor.yaml").write_text(text)


def rows(*words: str, **environment: str) -> dict[str, dict[str, object]]:
    shown = laststep(*words, "config", "--json", **environment)
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    assert document["schema"] == 1
    return {row["setting"]: row for row in document["settings"]}


def test_each_value_names_its_source_and_the_later_layer_wins(tmp_path: Path) -> None:
    own(tmp_path, "# mine\ntick_seconds: 2\nray_seconds: 4\ngpu_seconds: 8\n")
    found = rows(
        "--set",
        "gpu_seconds=9",
        XDG_CONFIG_HOME=str(tmp_path),
        LASTSTEP_RAY_SECONDS="5",
        LASTSTEP_GPU_SECONDS="7",
    )
    assert (found["checkpoint_seconds"]["source"], found["checkpoint_seconds"]["value"]) == ("default", 2.0)
    assert (found["tick_seconds"]["source"], found["tick_seconds"]["value"]) == ("file", 2.0)
    assert str(found["tick_seconds"]["where"]).endswith("monitor.yaml, line 2")
    assert (found["ray_seconds"]["where"], found["ray_seconds"]["value"]) == ("LASTSTEP_RAY_SECONDS", 5.0)
    assert (found["gpu_seconds"]["source"], found["gpu_seconds"]["value"]) == ("flag", 9.0)


def test_the_text_says_the_same_and_where_the_files_lie(tmp_path: Path) -> None:
    own(tmp_path, "tick_seconds: 2\n")
    shown = laststep("config", XDG_CONFIG_HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path / "state"))
    assert shown.returncode == 0
    (row,) = (line for line in shown.stdout.splitlines() if line.startswith("tick_seconds"))
    assert "2.0" in row and "file:" in row and "line 1" in row
    assert "environment: XDG_STATE_HOME" in shown.stdout


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("gpu_seconds: 3\ntick_secnods: 2\n", "line 2", "tick_seconds"),
        ("\n\ntick_seconds: fast\n", "line 3", "must be a number"),
        ("tick_seconds: 1\nlog_tail_lines: 2.5\n", "line 2", "whole number"),
        ("tick_seconds: -1\n", "line 1", "more than 0"),
        ("tick_seconds: .nan\n", "line 1", "must be a number"),
        ("theme: 3\n", "line 1", "must be a word"),
        ("theme: drak\n", "line 1", "no theme `drak`"),
    ],
)
def test_a_wrong_line_is_named_with_its_cure(tmp_path: Path, text: str, line: str, said: str) -> None:
    own(tmp_path, text)
    shown = laststep("config", XDG_CONFIG_HOME=str(tmp_path))
    assert shown.returncode == 2
    assert line in shown.stderr and said in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_wrong_flag_or_variable_is_named() -> None:
    assert "tick_seconds" in laststep("--set", "tick_secnods=2", "config").stderr
    assert "KEY=VALUE" in laststep("--set", "tick_seconds", "config").stderr
    assert "LASTSTEP_TICK_SECONDS" in laststep("config", LASTSTEP_TICK_SECONDS="soon").stderr


def test_a_variable_that_is_almost_a_setting_is_pointed_out() -> None:
    shown = laststep("config", LASTSTEP_TICK_SECNODS="2")
    assert shown.returncode == 0
    assert "did you mean LASTSTEP_TICK_SECONDS?" in shown.stdout
