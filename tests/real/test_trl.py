"""TRL's real GRPOTrainer on a CPU, with the hooks in: the example as a user starts it, and what it leaves."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.commands.run import autoload_directory
from tests.real.conftest import ROOT

MODEL = Path(sys.prefix) / "tiny" / "model"
pytestmark = [
    pytest.mark.real_vllm,
    pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="TRL is not installed"),
    pytest.mark.skipif(not MODEL.is_dir(), reason="`make env-real` makes the tiny model"),
]


def _train(folder: Path, *words: str, hooks: bool = True) -> list[dict[str, Any]]:
    """What the example recorded; it must have succeeded."""
    environment = {
        **os.environ,
        "LASTSTEP": "1" if hooks else "0",
        "LASTSTEP_DIR": str(folder / "laststep"),
        "PYTHONPATH": autoload_directory(),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, str(ROOT / "examples" / "trl_cpu" / "train.py"), str(folder / "out")]
    done = subprocess.run(
        [*command, "--model", str(MODEL), *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    files = sorted((folder / "laststep" / "hooks").glob("*.events.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def _of(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Three steps, an evaluation after each."""
    folder = tmp_path_factory.mktemp("trl")
    return folder, _train(folder)


def test_every_step_has_its_phases_in_order(run: tuple[Path, list[dict[str, Any]]]) -> None:
    begun = [(line["step"], line["phase"]) for line in _of(run[1], "phase_begin")]
    step = ["gen", "reward", "update_actor", "testing"]
    expected = [(number, phase) for number in (1, 2, 3) for phase in step]
    assert begun == [*expected, (3, "save_checkpoint")]
    assert len(_of(run[1], "phase_end")) == len(begun)


def test_the_scores_are_those_that_trl_logged(run: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, lines = run
    history = json.loads((folder / "out" / "history.json").read_text())
    logged = [(entry["step"], entry["eval_reward"]) for entry in history if "eval_reward" in entry]
    scores = _of(lines, "score")
    recorded = [(line["step"], line["data"]["value"]) for line in scores if line["data"]["metric"] == "eval_reward"]
    assert recorded == logged and len(logged) == 3


def test_it_truly_trained_and_the_guard_says_executed(run: tuple[Path, list[dict[str, Any]]]) -> None:
    assert all(line["data"]["metrics"]["grad_norm"] > 0 for line in _of(run[1], "step_end"))
    (guard,) = _of(run[1], "guard")
    assert guard["data"]["final_validation"] == "executed" and "all 12 rows" in guard["data"]["reason"]
    (saved,) = _of(run[1], "checkpoint")
    assert saved["data"]["complete"] and Path(saved["data"]["path"]).name == "checkpoint-3"


def test_an_evaluation_after_training_on_fewer_rows_is_partial(tmp_path: Path) -> None:
    words = ("--steps", "1", "--eval-steps", "0", "--evaluate-after", "--evaluate-rows", "4")
    (guard,) = _of(_train(tmp_path, *words), "guard")
    assert guard["data"]["final_validation"] == "partial" and "8 of 12 rows" in guard["data"]["reason"]


def test_laststep_run_watches_it_without_ray_keeps_what_trl_logged_and_judges_it(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "LASTSTEP_DIR": str(tmp_path / "dir")}
    environment |= {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    laststep = [sys.executable, "-m", "monitor.cli"]
    training = [sys.executable, str(ROOT / "examples" / "trl_cpu" / "train.py"), str(tmp_path / "out")]
    done = subprocess.run(
        [*laststep, "run", "--", *training, "--model", str(MODEL)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "trl-tiny-" in done.stderr and "does not stand" not in done.stderr
    told = subprocess.run([*laststep, "scores", "--json"], env=environment, capture_output=True, text=True, check=True)
    (kept,) = json.loads(told.stdout)["runs"]
    history = json.loads((tmp_path / "out" / "history.json").read_text())
    logged = {(entry["step"], entry["eval_reward"]) for entry in history if "eval_reward" in entry}
    assert {(one["step"], one["value"]) for one in kept["scores"] if one["metric"] == "eval_reward"} == logged
    watched = (tmp_path / "state" / "laststep" / "watch.log").read_text()
    assert all(f"step {step} {phase} began" in watched for step in (1, 2, 3) for phase in ("gen", "testing"))
