"""A plan comes from the ledger alone, and says in full what a rerun would do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.ledger.errors import NoSuchRun
from monitor.ledger.store import Ledger
from monitor.model.errors import ExitCode
from monitor.model.run import RunState
from monitor.rerun.plan import CannotPlan, UnknownRecipe, make_plan, read_plan, write_plan
from monitor.sources.trainer_profile import own_profiles_directory
from tests.rerun.run_folder import EARLIER, RECIPE, RUN, STEP, make_run


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with Ledger.open() as opened:
        yield opened


@pytest.fixture
def run(ledger: Ledger, tmp_path: Path) -> RunState:
    """A run that the ledger knows."""
    state = make_run(tmp_path)
    ledger.save_run(state)
    return state


def save_run(ledger: Ledger, folder: Path, **config: Any) -> None:
    """A run with another configuration than the usual."""
    state = make_run(folder)
    ledger.save_run(dataclasses.replace(state, config=dataclasses.replace(state.config, **config)))


def test_the_last_step_with_the_trainings_recipe_is_planned_from_the_ledger(
    ledger: Ledger, run: RunState, tmp_path: Path
) -> None:
    plan = make_plan(ledger, RUN[:5])
    assert (plan.run, plan.step, plan.final) == (RUN, STEP, True)
    assert plan.checkpoint == str(tmp_path / "checkpoints" / f"global_step_{STEP}")
    assert plan.recipe == plan.training_recipe
    assert (plan.recipe_label, plan.recipe_asked) == (RECIPE["name"], False)
    assert plan.engine == "monitor.demo.evaluation_engine:ENGINE"
    assert plan.rows_expected == run.config.validation_rows


def test_the_output_folder_lies_beside_the_ledger_and_the_experiment_has_a_name_of_its_own(
    ledger: Ledger, run: RunState
) -> None:
    plan = make_plan(ledger, RUN)
    assert Path(plan.out_directory).parent == Path(plan.ledger).parent / "reruns"
    assert plan.experiment not in (plan.run_experiment, plan.run)


def test_an_earlier_step_is_not_final(ledger: Ledger, run: RunState) -> None:
    plan = make_plan(ledger, RUN, step=EARLIER)
    assert (plan.step, plan.final) == (EARLIER, False)


@pytest.mark.parametrize("word", ["bf16", "BF16"])
def test_bf16_is_planned_without_a_recipe_and_keeps_the_trainings_beside(
    ledger: Ledger, run: RunState, word: str
) -> None:
    plan = make_plan(ledger, RUN, quant=word)
    assert (plan.recipe, plan.recipe_label, plan.recipe_asked) == (None, "bf16", True)
    assert plan.training_recipe is not None


def test_an_unknown_recipe_is_refused_with_the_nearest_right_name(ledger: Ledger, run: RunState) -> None:
    with pytest.raises(UnknownRecipe, match="unknown recipe `mxfp4_w4a5`") as refused:
        make_plan(ledger, RUN, quant="mxfp4_w4a5")
    assert "mxfp4_w4a4" in refused.value.HELP_TEXT


def test_a_recorded_recipe_that_cannot_be_read_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    save_run(ledger, tmp_path, recipe={**RECIPE, "scale_rulle": "even"})
    with pytest.raises(CannotPlan, match="scale_rulle") as refused:
        make_plan(ledger, RUN)
    assert refused.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize("field", ["checkpoint_dir", "validation_file"])
def test_a_run_that_recorded_too_little_is_refused(ledger: Ledger, tmp_path: Path, field: str) -> None:
    save_run(ledger, tmp_path, **{field: None})
    with pytest.raises(CannotPlan) as refused:
        make_plan(ledger, RUN)
    assert refused.value.exit_code is ExitCode.REFUSED


def test_a_run_whose_last_step_is_not_known_asks_for_the_step(ledger: Ledger, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    config = dataclasses.replace(run.config, total_steps=None)
    ledger.save_run(dataclasses.replace(run, total_steps=None, config=config))
    with pytest.raises(CannotPlan) as refused:
        make_plan(ledger, RUN)
    assert "--step" in refused.value.HELP_TEXT
    assert make_plan(ledger, RUN, step=STEP).final is None


def test_a_trainer_without_an_evaluation_engine_is_refused(ledger: Ledger, run: RunState) -> None:
    own_profiles_directory().mkdir(parents=True, exist_ok=True)
    (own_profiles_directory() / "bare.yaml").write_text("entrypoints: ['bare']\n")
    ledger.save_run(dataclasses.replace(run, trainer="bare"))
    with pytest.raises(CannotPlan, match="no evaluation engine"):
        make_plan(ledger, RUN)


def test_an_unknown_run_is_said(ledger: Ledger) -> None:
    with pytest.raises(NoSuchRun):
        make_plan(ledger, "none")


def test_a_plan_reads_back_from_its_file_and_its_folder_is_made_once(ledger: Ledger, run: RunState) -> None:
    plan = make_plan(ledger, RUN)
    assert read_plan(write_plan(plan)) == plan
    with pytest.raises(FileExistsError):
        write_plan(plan)


def test_a_file_that_is_no_plan_is_said(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(CannotPlan, match="no rerun plan"):
        read_plan(tmp_path / "plan.json")
