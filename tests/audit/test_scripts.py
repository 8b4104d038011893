"""Launch and evaluation scripts: which are safe for a checkpoint of which recipe, and what change mends them."""

from __future__ import annotations

import pytest

from monitor.audit.script_rules import recipe_of_overrides
from monitor.audit.scripts import Script, judge_scripts
from monitor.model.audit import RunKind, ScriptVerdict

QUANT = "+quant.enable=true +quant.format=mxfp4 +quant.weights=true +quant.activations=true"
LAUNCH = f"""#!/usr/bin/env bash
set -xeuo pipefail
python3 -m verl.trainer.main_ppo \\
    algorithm.adv_estimator=grpo \\
    {QUANT} +quant.exclude='[lm_head,embed_tokens]' \\
    trainer.total_training_steps=29 trainer.test_freq=20 trainer.save_freq=29 \\
    trainer.project_name=qerl trainer.experiment_name=e13h "$@"
"""
EVALUATE = """#!/usr/bin/env bash
python3 -m verl.trainer.main_ppo \\
    trainer.resume_mode=resume_path trainer.resume_from_path="$1" \\
    trainer.val_only=True trainer.val_before_train=True
"""


def judged(text: str, *recipes: str) -> ScriptVerdict:
    """The one verdict on a script."""
    (verdict,) = judge_scripts([Script("script.sh", text)], recipes)
    return verdict


def test_an_evaluation_without_quantization_is_unsafe_for_a_quantized_checkpoint_and_told_what_to_add() -> None:
    launch, evaluation = judge_scripts([Script("launch.sh", LAUNCH), Script("eval.sh", EVALUATE)])
    assert (launch.kind, launch.safe, launch.recipe) == (RunKind.TRAINING, True, "mxfp4_w4a4")
    assert (evaluation.kind, evaluation.safe, evaluation.recipe) == (RunKind.EVALUATION, False, "none")
    assert evaluation.for_recipes == ("mxfp4_w4a4",)
    assert "BF16" in evaluation.sentence
    (change,) = evaluation.changes
    for word in (*QUANT.split(), "+quant.exclude='[lm_head,embed_tokens]'"):
        assert word in change


def test_what_is_told_to_be_added_makes_it_safe() -> None:
    (_, unsafe) = judge_scripts([Script("launch.sh", LAUNCH), Script("eval.sh", EVALUATE)])
    mended = EVALUATE.rstrip() + " \\\n    " + unsafe.changes[0].removeprefix("add ") + "\n"
    assert judged(mended, "mxfp4_w4a4").safe is True


def test_the_same_script_is_safe_for_a_checkpoint_that_was_not_quantized() -> None:
    verdict = judged(EVALUATE, "none")
    assert verdict.safe is True and verdict.for_recipes == ("none",)


def test_one_script_gets_a_verdict_for_each_group_of_checkpoints() -> None:
    script = EVALUATE.rstrip() + " " + QUANT + "\n"
    right, wrong = judge_scripts([Script("eval.sh", script)], ("mxfp4_w4a4", "nvfp4_w4a4"))
    assert (right.safe, right.for_recipes) == (True, ("mxfp4_w4a4",))
    assert (wrong.safe, wrong.for_recipes) == (False, ("nvfp4_w4a4",))


def test_weights_alone_are_not_enough_for_a_checkpoint_trained_with_activations() -> None:
    script = EVALUATE.rstrip() + " " + QUANT.replace("activations=true", "activations=false") + "\n"
    verdict = judged(script, "mxfp4_w4a4")
    assert verdict.safe is False and verdict.recipe == "mxfp4_w4a16"


def test_val_only_without_val_before_train_would_train() -> None:
    verdict = judged(EVALUATE.replace("val_before_train=True", "val_before_train=False"), "none")
    assert verdict.safe is False
    assert "would train" in verdict.sentence and "trainer.val_before_train=True" in verdict.changes
    assert verdict.evidence[0].line == 4


@pytest.mark.parametrize(
    ("old", "new", "safe", "words"),
    [
        ('trainer.resume_from_path="$1"', "", None, "names no checkpoint"),
        ("trainer.resume_mode=resume_path ", "", False, "resume_mode is auto"),
        ("resume_mode=resume_path", "resume_mode=disable", False, "start model"),
        ("trainer.val_only", "data.val_max_samples=64 trainer.val_only", False, "64 rows"),
        ("trainer.val_only", "+noise.schedule=global_aqn trainer.val_only", False, "noise schedule global_aqn"),
        ("main_ppo ", "main_ppo --config-name=mine ", None, "set elsewhere"),
    ],
)
def test_an_evaluation_of_other_weights_rows_noise_or_unknown_configuration_is_not_called_safe(
    old: str, new: str, safe: bool | None, words: str
) -> None:
    verdict = judged(EVALUATE.replace(old, new), "none")
    assert verdict.safe is safe and words in verdict.sentence


@pytest.mark.parametrize(
    ("old", "new", "safe", "words"),
    [
        ("trainer.test_freq=20", "trainer.test_freq=-1", False, "never validates"),
        ("trainer.test_freq=20", "", False, "never validates"),
        ("trainer.test_freq=20", "trainer.test_freq=$FREQ", None, "set elsewhere"),
        ("trainer.save_freq=29", "", True, "saves no checkpoint"),
        ("trainer.test_freq=20", "trainer.test_freq=20 trainer.total_epochs=1", True, "epochs run out first"),
        ("trainer.save_freq=29", "trainer.save_freq=29 trainer.logger='[file]'", True, "erases the metrics"),
        ("trainer.save_freq=29", "trainer.save_freq=29 trainer.val_before_train=False", True, "start model's level"),
    ],
)
def test_a_launch_is_told_what_its_last_score_rests_on(old: str, new: str, safe: bool | None, words: str) -> None:
    verdict = judged(LAUNCH.replace(old, new))
    assert verdict.safe is safe and words in verdict.sentence


def test_two_launches_of_one_name_are_told_so() -> None:
    verdicts = judge_scripts([Script("a.sh", LAUNCH), Script("b.sh", LAUNCH)])
    assert all("2 scripts use the name e13h" in verdict.sentence for verdict in verdicts)


def test_a_variable_that_the_script_sets_is_read_and_nothing_is_run(tmp_path: object) -> None:
    text = "FREQ=-1\n" + LAUNCH.replace("test_freq=20", "test_freq=$FREQ").replace("=e13h", "=$(touch owned)")
    assert judged(text).safe is False


def test_a_comment_or_a_foreign_script_is_no_launch() -> None:
    assert judge_scripts([Script("a.sh", "# python3 -m verl.trainer.main_ppo trainer.val_only=True\nls\n")]) == ()
    assert judge_scripts([Script("b.sh", "\x00\xff" * 1000)]) == ()
    assert judge_scripts([Script("c.sh", "")]) == ()


@pytest.mark.parametrize(
    ("overrides", "recipe"),
    [
        ({}, "none"),
        ({"quant.enable": "false", "quant.format": "mxfp4"}, "none"),
        ({"quant.enable": "$ON", "quant.format": "mxfp4"}, None),
        ({"quant.format": "nvfp4", "quant.weights": "true", "quant.activations": "false"}, "nvfp4_w4a16"),
        ({"trainer.hw_error_injection.enabled": "True", "trainer.hw_error_injection.error_type": "mxfp4",
          "trainer.hw_error_injection.injection_point": "both"}, "mxfp4_w4a4"),
        ({"trainer.hw_error_injection.enabled": "True", "trainer.hw_error_injection.error_type": "mxfp4",
          "trainer.hw_error_injection.injection_point": "weight"}, "mxfp4_w4a16"),
        ({"quant.enable": "true"}, None),
    ],
)  # fmt: skip
def test_the_recipe_of_overrides(overrides: dict[str, str], recipe: str | None) -> None:
    assert recipe_of_overrides(overrides) == recipe
