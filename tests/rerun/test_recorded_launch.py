"""How a run was launched: Hydra's overrides where they were kept, else the configuration that the run printed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.rerun.plan import CannotPlan
from monitor.rerun.recorded_launch import recorded_launch
from tests.rerun import verl_plans

LOG = Path(__file__).parent.parent / "sources" / "verl_lines" / "legacy_0_9_1" / "console.log"


def hydra(folder: Path, experiment: str, overrides: object) -> Path:
    """Hydra's three files of a run."""
    (folder / ".hydra").mkdir(parents=True)
    config = {"trainer": {"experiment_name": experiment, "n_gpus_per_node": 4}}
    recorded = {"hydra": {"job": {"config_name": "ppo_trainer"}, "runtime": {"cwd": "/where/it/began"}}}
    files = {"config": config, "overrides": overrides, "hydra": recorded}
    for name, document in files.items():
        (folder / ".hydra" / f"{name}.yaml").write_text(yaml.safe_dump(document))
    return folder / ".hydra" / "config.yaml"


def test_hydras_overrides_are_taken_as_they_were_given(tmp_path: Path) -> None:
    file = hydra(tmp_path, "demo", ["a.b=1", "+c='x y'"])
    launch = recorded_launch(verl_plans.plan(config_source=str(file)))
    assert launch.overrides == ("a.b=1", "+c='x y'")
    assert (launch.entry, launch.config_name, launch.folder) == (
        "verl.trainer.main_ppo",
        "ppo_trainer",
        "/where/it/began",
    )
    assert not launch.whole and launch.get("trainer.n_gpus_per_node") == 4


def test_the_overrides_beside_a_console_log_are_the_same_experiments(tmp_path: Path) -> None:
    hydra(tmp_path, "another", ["a.b=1"])
    log = tmp_path / "console.log"
    log.write_bytes(LOG.read_bytes())
    launch = recorded_launch(verl_plans.plan(config_source=str(log)))
    assert launch.whole and launch.source == str(log)
    assert launch.get("trainer.val_only") is False


@pytest.mark.parametrize("overrides", [None, [], "a.b=1"])
def test_hydras_file_without_its_overrides_is_one_sentence(tmp_path: Path, overrides: object) -> None:
    file = hydra(tmp_path, "demo", overrides)
    with pytest.raises(CannotPlan, match="records neither"):
        recorded_launch(verl_plans.plan(config_source=str(file)))


def test_a_dapo_run_has_its_recipes_entry_point(tmp_path: Path) -> None:
    file = hydra(tmp_path, "demo", ["a.b=1"])
    plan = verl_plans.plan(config_source=str(file), trainer="verl_dapo")
    assert recorded_launch(plan).entry == "recipe.dapo.main_dapo"
