"""What is said of a launch, rule by rule; what can't be told is never called wrong."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.detect.launch_rules import judge_launch
from monitor.model.launch import LaunchSettings, LaunchSurroundings, Weight

SOUND: dict[str, Any] = {"trainer.test_freq": 5, "trainer.save_freq": 5}
PPO = "verl.trainer.main_ppo"


def _said(
    given: dict[str, Any], *, entry: str = PPO, around: LaunchSurroundings | None = None, **settings: Any
) -> dict[str, Weight]:
    launch = LaunchSettings("s.sh", 1, entry, {**SOUND, **given}, **settings)
    return {item.rule: item.weight for item in judge_launch(launch, around or LaunchSurroundings())}


def test_a_sound_launch_has_no_finding() -> None:
    assert _said({}) == {}


@pytest.mark.parametrize("frequency", [-1, 0])
def test_a_run_that_never_validates_is_wrong(frequency: int) -> None:
    assert _said({"trainer.test_freq": frequency}) == {"final-validation": Weight.WRONG}


def test_verls_default_validates_never() -> None:
    launch = LaunchSettings("s.sh", 1, PPO, {"trainer.save_freq": 1})
    (finding,) = judge_launch(launch, LaunchSurroundings())
    assert finding.weight is Weight.WRONG and "default is -1" in finding.sentence


def test_a_variable_nobody_sets_is_unknown_and_not_wrong() -> None:
    said = _said({"trainer.test_freq": "$1"}, unresolved=frozenset({"trainer.test_freq"}))
    assert said == {"final-validation": Weight.UNKNOWN}


def test_a_configuration_that_was_not_read_may_validate() -> None:
    launch = LaunchSettings("s.sh", 1, PPO, {"trainer.save_freq": 1}, other_configuration="mine")
    assert [item.weight for item in judge_launch(launch, LaunchSurroundings())] == [Weight.UNKNOWN]


STEPS = {"trainer.total_training_steps": 10, "trainer.total_epochs": 1, "data.train_batch_size": 4}


@pytest.mark.parametrize(("rows", "said"), [(39, {"last-step": Weight.WRONG}), (40, {})])
def test_epochs_that_end_before_the_last_step_are_wrong(rows: int, said: dict[str, Weight]) -> None:
    assert _said(STEPS, around=LaunchSurroundings(train_rows=rows)) == said


def test_epochs_of_data_nobody_counted_are_unknown() -> None:
    assert _said(STEPS) == {"last-step": Weight.UNKNOWN}


def test_a_run_that_saves_nothing_is_a_risk() -> None:
    assert _said({"trainer.save_freq": -1}) == {"save": Weight.RISK}


def test_a_recipe_that_validates_before_it_saves_is_a_risk() -> None:
    assert _said({}, entry="recipe.dapo.main_dapo") == {"save": Weight.RISK}


VALIDATES = {"trainer.val_only": True, "trainer.resume_mode": "resume_path", "trainer.test_freq": -1}


def test_a_run_that_only_validates_needs_neither_frequency_nor_save() -> None:
    assert _said({**VALIDATES, "trainer.save_freq": -1}) == {}


def test_val_only_that_would_train_is_wrong() -> None:
    assert _said({**VALIDATES, "trainer.val_before_train": False})["val-only"] is Weight.WRONG


def test_val_only_with_no_checkpoint_scores_the_start_model() -> None:
    assert _said({**VALIDATES, "trainer.resume_mode": "disable"}) == {"val-only": Weight.RISK}


def test_a_name_that_erases_earlier_metrics_is_wrong() -> None:
    around = LaunchSurroundings(metrics_file="/logs/p/e.jsonl")
    assert _said({}, around=around) == {"erased-metrics": Weight.WRONG}


def test_a_resume_at_the_last_step_is_wrong() -> None:
    given = {"trainer.total_training_steps": 10, "data.train_batch_size": 4, "trainer.total_epochs": 1}
    around = LaunchSurroundings(checkpoint_step=10, train_rows=40)
    assert _said(given, around=around) == {"resume": Weight.WRONG}


ERRORS = "trainer.hw_error_injection"


@pytest.mark.parametrize(
    ("given", "weight"),
    [
        ({f"{ERRORS}.apply_during": "train"}, Weight.WRONG),
        ({f"{ERRORS}.apply_during": "both"}, None),
        ({f"{ERRORS}.injection_point": "actor"}, Weight.WRONG),
        ({f"{ERRORS}.injection_point": "both"}, None),
        ({}, None),
    ],
)
def test_quantization_that_leaves_out_the_validation_is_wrong(given: dict[str, Any], weight: Weight | None) -> None:
    assert _said({f"{ERRORS}.enabled": True, **given}).get("quantization") is weight


def test_weights_only_quantization_is_no_w4a4() -> None:
    qat = "actor_rollout_ref.actor.fsdp_config.qat"
    assert _said({f"{qat}.enable": True, f"{qat}.mode": "w4a16"}) == {"quantization": Weight.RISK}


@pytest.mark.parametrize(("given", "said"), [({}, {"noise": Weight.RISK}), ({"noise.apply_in_validation": False}, {})])
def test_noise_that_nobody_turns_off_is_a_risk(given: dict[str, Any], said: dict[str, Weight]) -> None:
    assert _said({"noise.schedule": "geometric", **given}) == said


def test_the_gravest_finding_stands_first() -> None:
    launch = LaunchSettings("s.sh", 1, PPO, {"trainer.save_freq": -1, "trainer.test_freq": -1})
    weights = [item.weight for item in judge_launch(launch, LaunchSurroundings())]
    assert weights == [Weight.WRONG, Weight.RISK]
