"""The overrides that turn a verl training into the evaluation of one checkpoint. Pure.

Keys: verl 0.7 to 0.9 (`verl/trainer/config/ppo_trainer.yaml`); grammar: Hydra 1.3, "Extended Override Syntax". `++key`
sets a key whether or not the configuration has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from monitor.rerun.plan import RerunPlan
from monitor.rerun.recorded_launch import RecordedLaunch
from monitor.rerun.verl_evaluation import ENGINE_ARGUMENTS, FORK, PLUGIN

NOISE = ("noise.schedule", "noise.name", "trainer.noise_injection.schedule", "trainer.noise_injection.enabled")
PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
WORDS = ("null", "true", "false", "nan", "inf")
KEY = re.compile(r"[+~]*([^=@]+)")


def evaluation_overrides(plan: RerunPlan, launch: RecordedLaunch) -> list[str]:
    """The run's own overrides without those that are set here, then those that are set here."""
    ours = {**_evaluation(plan), **_quantization(plan, launch)}
    kept = [each for each in launch.overrides if _key(each) not in ours and not _key(each).startswith("hydra.")]
    return [*kept, *(f"++{key}={hydra_value(value)}" for key, value in ours.items())]


def noise_left_on(launch: RecordedLaunch) -> str:
    """The key of a noise schedule that nothing here can turn off; empty where there is none."""
    return next((key for key in NOISE if launch.get(key) not in (None, False, "none", "")), "")


def _evaluation(plan: RerunPlan) -> dict[str, Any]:
    """No training, this checkpoint, nothing of the run's written: names and folders are the rerun's own."""
    out = plan.out_directory
    return {
        "trainer.val_only": True,
        # val_only is looked at only inside the validation before training.
        "trainer.val_before_train": True,
        "trainer.resume_mode": "resume_path",
        "trainer.resume_from_path": plan.checkpoint,
        "trainer.experiment_name": plan.experiment,
        "trainer.default_local_dir": f"{out}/checkpoints",
        "trainer.validation_data_dir": f"{out}/validation",
        "trainer.rollout_data_dir": None,
        "trainer.save_freq": -1,
        "trainer.logger": ["console", "file"],
    }


def _quantization(plan: RerunPlan, launch: RecordedLaunch) -> dict[str, Any]:
    place, config = f"{ENGINE_ARGUMENTS}.quantization", f"{ENGINE_ARGUMENTS}.hf_overrides.quantization_config"
    found: dict[str, Any] = {}
    if launch.get(f"{FORK}.enabled") is True:
        found[f"{FORK}.enabled"] = False
    if plan.recipe is None:
        quantized = launch.get(place) is not None or launch.get(config) is not None
        return {**found, place: None, config: None} if quantized else found
    method = next(name for name, form in PLUGIN.items() if form == plan.recipe["format"])
    return {**found, place: method, config: {"quant_method": method, "recipe": plan.recipe}}


def _key(override: str) -> str:
    found = KEY.match(override)
    return found[1].strip() if found else ""


def hydra_value(value: Any) -> str:
    """A value in Hydra's grammar; text that could be read as anything else is quoted."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{hydra_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_each(value)) + "]"
    text = str(value)
    if PLAIN.fullmatch(text) and not _like_a_number(text) and text.lower() not in WORDS:
        return text
    # Backslashes stand for themselves, but where they lead up to a quote (Hydra, "Quoted values").
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + (r"\'" if found[2] else ""), text)
    return f"'{escaped}'"


def _each(values: Iterable[Any]) -> list[str]:
    return [hydra_value(each) for each in values]


def _like_a_number(text: str) -> bool:
    try:
        float(text.replace("_", ""))
    except ValueError:
        return False
    return True
