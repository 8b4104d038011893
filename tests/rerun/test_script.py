"""The printed script: golden for both routes, valid bash, refusing before it starts anything, true exit codes.

Real bash runs them here; only the interpreter that they name is a stand-in that leaves what an evaluation leaves.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.rerun.facts import LineState, PreflightLine
from monitor.rerun.needs import Needs
from monitor.rerun.plan import RerunPlan
from monitor.rerun.routes import TRAINER
from monitor.rerun.script import CannotEmit, refusals, route_to_print, script_of
from tests.rerun import verl_plans
from tests.rerun.verl_plans import PROVED, evaluation, launch

GOLDEN = Path(__file__).parent.parent / "golden"
NEEDS = Needs(weights=0, memory=3 * 1024**3, seconds=900.0, why="its own slowest validation took 720 s")
SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
NASTY = "/run/it's $(touch owned) `x`\n#SBATCH --gpus=99"


def printed(plan: RerunPlan, **more: Any) -> str:
    """The script of the plan's own route."""
    route = route_to_print(plan, None)
    more.setdefault("launch", launch() if route.name == TRAINER else None)
    return script_of(plan, route, NEEDS, packages="/opt/laststep", **more)


def trainer_plan(**changes: Any) -> RerunPlan:
    return verl_plans.plan(proved=PROVED, verl=evaluation(problems=("the rollout has several turns",)), **changes)


def checked_by_bash(text: str) -> None:
    read = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, timeout=30)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "plan", "more"),
    [
        ("rerun-laststep.sh", verl_plans.plan(validation_sha256=SHA), {}),
        ("rerun-verl.sh", trainer_plan(validation_sha256=SHA), {}),
        ("rerun-verl-printed.sh", trainer_plan(recipe=None, recipe_label="bf16"), {"launch": launch(overrides=())}),
    ],
)
def test_the_script_is_the_golden_one_and_bash_reads_it(name: str, plan: RerunPlan, more: dict[str, Any]) -> None:
    text = printed(plan, **more)
    assert text == (GOLDEN / name).read_text()
    checked_by_bash(text)


@pytest.mark.parametrize("make", [verl_plans.plan, trainer_plan])
def test_names_from_outside_stay_data(make: Callable[..., RerunPlan], tmp_path: Path) -> None:
    plan = make(run=NASTY, checkpoint=NASTY, out_directory=NASTY, validation_file=NASTY, experiment=NASTY)
    doubt = PreflightLine("rows", LineState.UNKNOWN, f"a sentence\n{NASTY}")
    text = printed(plan, doubts=[doubt])
    checked_by_bash(text)
    # sbatch reads its options up to the first line that is no comment.
    head = text[: text.index("\nset -euo")].splitlines()
    assert not [line for line in head if line.startswith("#SBATCH") and "99" in line]
    ran = subprocess.run(["bash"], input=text, text=True, capture_output=True, timeout=30, cwd=tmp_path)
    assert ran.returncode == 13, ran.stderr
    assert list(tmp_path.iterdir()) == []


class Place:
    """A checkpoint, data and an interpreter that does what it is told."""

    def __init__(self, folder: Path, does: str) -> None:
        self.folder = folder
        (folder / "checkpoint").mkdir()
        (folder / "validation.jsonl").write_text("{}\n")
        python = folder / "python"
        python.write_text(f'#!/bin/bash\n[ "$1" = -c ] && exit 0\necho "$@" > {folder}/words\n{does}\n')
        python.chmod(0o755)
        self.values: dict[str, Any] = {
            "checkpoint": str(folder / "checkpoint"),
            "validation_file": str(folder / "validation.jsonl"),
            "validation_sha256": None,
            "out_directory": str(folder / "out"),
            "python": str(python),
            "rows_expected": 2,
        }

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash"], input=text, text=True, capture_output=True, timeout=30, cwd=self.folder)


@pytest.mark.parametrize(("ends", "code"), [(0, 0), (12, 12), (2, 13), (1, 1), (137, 1)])
def test_what_the_evaluation_says_becomes_the_scripts_exit_code(tmp_path: Path, ends: int, code: int) -> None:
    place = Place(tmp_path, f"exit {ends}")
    assert place.run(printed(verl_plans.plan(**place.values))).returncode == code


@pytest.mark.parametrize(("rows", "code"), [(2, 0), (1, 12), (0, 12)])
def test_verls_own_evaluation_counts_by_the_rows_it_wrote(tmp_path: Path, rows: int, code: int) -> None:
    dump = f"{tmp_path}/out/validation/29.jsonl"
    write = f"mkdir -p $(dirname {dump}); for i in $(seq {rows}); do echo row; done > {dump}"
    place = Place(tmp_path, write)
    ran = place.run(printed(trainer_plan(**place.values), launch=launch(folder=str(tmp_path))))
    assert ran.returncode == code, ran.stderr


def test_a_script_runs_once(tmp_path: Path) -> None:
    place = Place(tmp_path, "exit 0")
    text = printed(verl_plans.plan(**place.values))
    assert [place.run(text).returncode for _ in range(2)] == [0, 13]


def test_other_validation_data_is_refused_before_anything_starts(tmp_path: Path) -> None:
    place = Place(tmp_path, "exit 0")
    ran = place.run(printed(verl_plans.plan(**{**place.values, "validation_sha256": SHA})))
    assert (ran.returncode, (tmp_path / "words").exists(), (tmp_path / "out").exists()) == (13, False, False)


def test_nothing_of_a_runs_ray_reaches_the_evaluation(tmp_path: Path) -> None:
    place = Place(tmp_path, f"env > {tmp_path}/seen; exit 0")
    text = "export RAY_ADDRESS=live:6379 LASTSTEP_HOOKS=1\n" + printed(verl_plans.plan(**place.values))
    assert place.run(text).returncode == 0
    assert "RAY_" not in (tmp_path / "seen").read_text() and "LASTSTEP_" not in (tmp_path / "seen").read_text()


def test_verl_itself_is_not_printed_in_a_version_that_was_not_proved() -> None:
    with pytest.raises(CannotEmit, match="not proved"):
        route_to_print(verl_plans.plan(), "verl")
    with pytest.raises(CannotEmit, match="no route"):
        route_to_print(verl_plans.plan(verl=evaluation(problems=("several turns",))), None)
    assert route_to_print(verl_plans.plan(proved=PROVED), "verl").name == "verl"


def test_noise_that_nothing_turns_off_is_not_printed() -> None:
    noisy = launch(values={"noise": {"schedule": "global_aqn"}})
    with pytest.raises(CannotEmit, match="noise"):
        printed(trainer_plan(), launch=noisy)


def test_lines_of_this_machine_do_not_refuse_a_script_and_all_others_do() -> None:
    lines = [PreflightLine(name, LineState.FAIL, "") for name in ("gpus", "memory", "complete", "sampling")]
    assert [line.name for line in refusals(lines, "laststep")] == ["complete", "sampling"]
    assert [line.name for line in refusals(lines, "verl")] == ["complete"]
