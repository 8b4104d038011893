"""`laststep run`: the command's exit code is kept; 12 only where it was 0 and the final score doesn't stand."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.commands import run
from monitor.ledger.standings import judge_score
from monitor.model.run import RunState
from monitor.model.score import Score
from tests.commands.test_cli import laststep
from tests.ledger import examples
from trainer_hooks import records


def _run(kind: str) -> list[tuple[RunState, list[Score]]]:
    """A run whose final score is valid, partial, noisy, unproven, or not there at all."""
    changes: dict[str, dict[str, Any]] = {"partial": {"rows": 1}, "unproven": {"rows": None}}
    noise = {"active": True, "sigma": 0.02, "schedule": "qerl"}
    changes["noisy"] = {"attestation": examples.sealed({**examples.attestation(), "noise": noise})}
    if kind == "missing":
        return [(examples.run(validations=()), [])]
    state, score = examples.run(), examples.score(**changes.get(kind, {}))
    standing, reasons = judge_score(score, state)
    return [(state, [dataclasses.replace(score, standing=standing, reasons=reasons)])]


@pytest.mark.parametrize(
    ("code", "kind", "strict", "result"),
    [
        (0, "valid", False, 0),
        (0, "missing", False, 12),
        (0, "noisy", False, 12),
        (0, "partial", False, 12),
        (0, "unproven", False, 0),
        (0, "unproven", True, 12),
        (3, "missing", True, 3),
        (143, "valid", False, 143),
    ],
)
def test_only_a_clean_end_without_a_final_score_that_stands_is_twelve(
    code: int, kind: str, strict: bool, result: int
) -> None:
    assert run.judged(code, _run(kind), strict=strict) == result


def test_nothing_is_said_of_a_command_that_trained_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.judged(0, [], strict=True) == 0
    assert "no training of this command was seen" in capsys.readouterr().err


def test_a_run_without_a_command_is_refused_with_an_example() -> None:
    done = laststep("run")
    assert done.returncode == 2 and "laststep run -- python3 -m verl" in done.stderr


def test_the_command_gets_the_hooks_and_where_to_write() -> None:
    code = "import os, sys; sys.exit(0 if os.environ['LASTSTEP'] == '1' and os.environ['LASTSTEP_DIR'] else 1)"
    assert laststep("run", "--no-watch", "--", sys.executable, "-c", code).returncode == 0


def test_options_of_the_command_are_its_own() -> None:
    assert laststep("run", "--no-watch", "--", "sh", "-c", "exit 5", "--strict").returncode == 5


def test_saving_first_without_the_hooks_is_refused_before_the_command_starts(tmp_path: Path) -> None:
    started = tmp_path / "started"
    done = laststep("run", "--save-first", "--no-hooks", "--", "touch", str(started))
    assert done.returncode == 2 and "leave out `--no-hooks`" in done.stderr
    assert not started.exists()


def test_a_command_in_which_nothing_was_saved_first_is_told_and_keeps_its_exit_code() -> None:
    done = laststep("run", "--save-first", "--no-watch", "--", "sh", "-c", "exit 5")
    assert done.returncode == 5
    assert "--save-first: nothing was saved first" in done.stderr


def test_what_the_hooks_told_of_saving_first_is_not_said_again() -> None:
    code = "from trainer_hooks import save_first; assert save_first.wanted(); save_first.tell(29, 'step 29 was saved')"
    done = laststep("run", "--save-first", "--no-watch", "--", sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert "step 29 was saved" in done.stderr
    assert "nothing was saved first" not in done.stderr


def test_what_an_earlier_run_told_of_saving_first_is_not_this_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(records.DIRECTORY_VARIABLE, str(tmp_path))
    hooks = tmp_path / "hooks"
    hooks.mkdir(mode=0o700)
    (hooks / f"1-1{records.EVENTS_ENDING}").write_text('{"data":{"text":"save-first: step 29 was saved"}}\n')
    began = (hooks / f"1-1{records.EVENTS_ENDING}").stat().st_mtime
    assert run.save_first_told(began)
    assert not run.save_first_told(began + 60.0)
