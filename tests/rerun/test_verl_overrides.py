"""Overrides for verl: the run's own but those that would train, write into its folders, or leave quantization off."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.rerun.verl_overrides import evaluation_overrides, hydra_value, noise_left_on
from tests.rerun import verl_plans
from tests.rerun.verl_plans import launch

VALUES: list[Any] = [
    None,
    True,
    -1,
    0.5,
    "plain/path_1.x",
    "two words",
    "it's",
    "back\\slash\\",
    "a\\'b",
    "a,b=c{d}[e]",
    "123",
    "1e3",
    "true",
    "null",
    "",
    ["a", 1, "b c"],
    {"name": "mxfp4_w4a4", "exclude": ["lm_head"], "dtype": "float32", "block_size": 32, "stochastic": False},
]


def keys(overrides: list[str]) -> list[str]:
    return [each.lstrip("+~").partition("=")[0] for each in overrides]


def test_no_key_is_given_twice_and_the_runs_own_others_are_kept() -> None:
    found = evaluation_overrides(verl_plans.plan(), launch())
    assert len(keys(found)) == len(set(keys(found)))
    assert "+trainer.note='two words'" in found
    assert "trainer.experiment_name=mine" not in found


def test_nothing_is_trained_and_no_folder_of_the_run_is_written() -> None:
    plan = verl_plans.plan()
    found = dict(each.lstrip("+").split("=", 1) for each in evaluation_overrides(plan, launch()))
    assert found["trainer.val_only"] == found["trainer.val_before_train"] == "true"
    assert (found["trainer.resume_mode"], found["trainer.resume_from_path"]) == ("resume_path", plan.checkpoint)
    for key in ("trainer.default_local_dir", "trainer.validation_data_dir"):
        assert found[key].startswith(plan.out_directory)
    assert found["trainer.experiment_name"] == plan.experiment != plan.run_experiment
    assert found["trainer.save_freq"] == "-1"


def test_the_recipe_goes_in_whole() -> None:
    found = evaluation_overrides(verl_plans.plan(), launch())
    place = "++actor_rollout_ref.rollout.engine_kwargs.vllm"
    assert f"{place}.quantization=laststep_mxfp4" in found
    assert any(each.startswith(f"{place}.hf_overrides.quantization_config=") and "scale_rule" in each for each in found)


def test_an_unquantized_evaluation_of_a_quantized_run_turns_quantization_off() -> None:
    place = "actor_rollout_ref.rollout.engine_kwargs.vllm.quantization"
    values = {"actor_rollout_ref": {"rollout": {"engine_kwargs": {"vllm": {"quantization": "laststep_mxfp4"}}}}}
    found = evaluation_overrides(verl_plans.plan(recipe=None, recipe_label="bf16"), launch(values=values))
    assert f"++{place}=null" in found


@pytest.mark.parametrize("value", VALUES)
def test_hydra_reads_back_what_was_meant(value: Any) -> None:
    parser = pytest.importorskip("hydra.core.override_parser.overrides_parser").OverridesParser.create()
    (read,) = parser.parse_overrides([f"++key={hydra_value(value)}"])
    assert read.value() == value


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({}, ""),
        ({"trainer": {"noise_injection": {"enabled": False}}}, ""),
        ({"trainer": {"noise_injection": {"enabled": True}}}, "trainer.noise_injection.enabled"),
        ({"noise": {"schedule": "qerl"}}, "noise.schedule"),
    ],
)
def test_noise_is_seen(values: dict[str, Any], key: str) -> None:
    assert noise_left_on(launch(values=values)) == key
