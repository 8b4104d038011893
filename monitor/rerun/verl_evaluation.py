"""How a verl run's validation is evaluated again outside the trainer: sampling, reward, engine options, recipe. Pure.

From the run's own recorded configuration alone. What can't be reproduced outside the trainer is said as a problem; what
the run did not record in full is inferred and marked so. Keys: verl 0.7 to 0.9 (`verl/trainer/config`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from monitor.rerun.recorded_config import RecordedConfig
from quant.errors import RecipeError
from quant.recipe import Recipe

ROLLOUT = "actor_rollout_ref.rollout"
PLUGIN = {"laststep_mxfp4": "mxfp4", "laststep_nvfp4": "nvfp4"}
QAT = ("actor_rollout_ref.actor.fsdp_config.qat", "actor_rollout_ref.actor.qat")
FORK = "trainer.hw_error_injection"
ENGINE_ARGUMENTS = f"{ROLLOUT}.engine_kwargs.vllm"


@dataclass(frozen=True)
class VerlEvaluation:
    """Everything that the evaluation of a verl checkpoint needs beside paths."""

    engine: str
    temperature: float
    top_p: float
    n: int
    max_tokens: int
    reward: str | None
    """`FILE:FUNCTION`; None: verl's own."""
    problems: tuple[str, ...] = ()
    """What the evaluation outside the trainer would do otherwise than the run did: any of them refuses."""
    doubts: tuple[str, ...] = ()
    """What can't be told from the configuration."""
    recipe: dict[str, Any] | None = None
    quantized: bool | None = None
    """None: the configuration says nothing of it."""
    inferred: str = ""
    """Why the recipe is inferred and not recorded; empty where it is recorded in full."""
    evidence: tuple[str, ...] = field(default=())


def evaluation_of(recorded: RecordedConfig, engine: str) -> VerlEvaluation:
    """What the run's configuration asks of an evaluation of its validation set."""
    values = f"{ROLLOUT}.val_kwargs"
    sampled = recorded.get(f"{values}.do_sample") is True
    temperature = float(recorded.get(f"{values}.temperature") or 0.0) if sampled else 0.0
    n = int(recorded.get(f"{values}.n") or 1)
    recipe, quantized, inferred, evidence = recipe_of(recorded)
    reward = _reward(recorded)
    return VerlEvaluation(
        engine=_engine(engine, recorded, reward),
        temperature=temperature,
        top_p=float(recorded.get(f"{values}.top_p") or 1.0),
        n=n if temperature else 1,
        max_tokens=int(recorded.get(f"{ROLLOUT}.response_length", "data.max_response_length") or 1024),
        reward=reward,
        problems=tuple(_problems(recorded, sampled, n, quantized)),
        doubts=tuple(_doubts(recorded)),
        recipe=recipe,
        quantized=quantized,
        inferred=inferred,
        evidence=evidence,
    )


def recipe_of(recorded: RecordedConfig) -> tuple[dict[str, Any] | None, bool | None, str, tuple[str, ...]]:
    """The recipe, whether the run quantizes, why the recipe is inferred, and the keys that say so."""
    method = recorded.get(f"{ENGINE_ARGUMENTS}.quantization", f"{ROLLOUT}.quantization")
    if method in PLUGIN:
        return _plugin_recipe(recorded, str(method))
    if recorded.get(f"{FORK}.enabled") is True:
        return _fork_recipe(recorded)
    for key in QAT:
        if recorded.get(f"{key}.enable") is True:
            mode = str(recorded.get(f"{key}.mode") or "w4a16").lower()
            name = f"nvfp4_{mode}"
            found = Recipe(name, format="nvfp4", quantize_activations=mode.endswith("a4"), dtype=_dtype(recorded))
            why = f"{key} says {mode}, and not how scales are rounded in training"
            return found.to_dict(), True, why, (f"{key}.mode={mode}",)
    if method:
        return None, True, f"the engine ran with quantization={method}, which is no recipe of configs/quant", ()
    said = [key for key in (*(f"{key}.enable" for key in QAT), f"{FORK}.enabled") if recorded.get(key) is False]
    return None, False if said else None, "", tuple(f"{key}=False" for key in said)


def _plugin_recipe(recorded: RecordedConfig, method: str) -> tuple[dict[str, Any] | None, bool, str, tuple[str, ...]]:
    place = f"{ENGINE_ARGUMENTS}.hf_overrides.quantization_config.recipe"
    given = recorded.get(place)
    if isinstance(given, dict):
        try:
            return Recipe.from_dict(given).to_dict(), True, "", (place,)
        except RecipeError as error:
            return None, True, f"the recipe at {place} can't be read: {error}", (place,)
    # Without a recipe the plugin has one of its own: W4A4 of all but the head, in the engine's dtype.
    recipe = Recipe(f"{PLUGIN[method]}_w4a4", format=PLUGIN[method], dtype=_dtype(recorded))
    return recipe.to_dict(), True, "", (f"{ENGINE_ARGUMENTS}.quantization={method}",)


def _fork_recipe(recorded: RecordedConfig) -> tuple[dict[str, Any] | None, bool, str, tuple[str, ...]]:
    kind = str(recorded.get(f"{FORK}.error_type") or "")
    evidence = (f"{FORK}.error_type={kind}",)
    if not kind.startswith(("mxfp4", "nvfp4")):
        return None, True, f"{FORK} names `{kind}`, which is no format that is built", evidence
    point = str(recorded.get(f"{FORK}.injection_point") or "both")
    excluded = recorded.get(f"{FORK}.exclude_modules")
    weights, activations = point in ("weight", "both"), point in ("input", "activation", "both")
    if not (weights or activations):
        return None, True, f"{FORK}.injection_point is `{point}`, which is not known", evidence
    recipe = Recipe(
        f"{kind[:5]}_w{4 if weights else 16}a{4 if activations else 16}",
        format=kind[:5],
        quantize_weights=weights,
        quantize_activations=activations,
        exclude=tuple(excluded) if isinstance(excluded, (list, tuple)) else ("lm_head",),
        dtype=_dtype(recorded),
    )
    return recipe.to_dict(), True, f"{FORK} records no scale rule", evidence


def _dtype(recorded: RecordedConfig) -> str:
    return str(recorded.get(f"{ROLLOUT}.dtype") or "bfloat16")


def _reward(recorded: RecordedConfig) -> str | None:
    path = recorded.get("reward.custom_reward_function.path", "custom_reward_function.path")
    name = recorded.get("reward.custom_reward_function.name", "custom_reward_function.name") or "compute_score"
    return f"{path}:{name}" if path else None


def _engine(engine: str, recorded: RecordedConfig, reward: str | None) -> str:
    options = {"reward": reward, "max_model_len": recorded.get(f"{ROLLOUT}.max_model_len")}
    options["eager"] = "true" if recorded.get(f"{ROLLOUT}.enforce_eager") is True else None
    options["gpu_memory_utilization"] = recorded.get(f"{ROLLOUT}.gpu_memory_utilization")
    given = {key: str(value) for key, value in options.items() if value is not None}
    return f"{engine}?{urlencode(given)}" if given and "?" not in engine else engine


def _problems(recorded: RecordedConfig, sampled: bool, n: int, quantized: bool | None) -> list[str]:
    found = []
    top_k = recorded.get(f"{ROLLOUT}.val_kwargs.top_k")
    if sampled and isinstance(top_k, int) and top_k > 0:
        found.append(f"the run sampled with top_k={top_k}, which the evaluation outside the trainer can't")
    if not quantized and _dtype(recorded) != "bfloat16":
        found.append(f"the run's engine computed in {_dtype(recorded)}, an unquantized evaluation does in bfloat16")
    if recorded.get("data.apply_chat_template_kwargs"):
        found.append("the run gave its chat template further arguments (data.apply_chat_template_kwargs)")
    if recorded.get(f"{ROLLOUT}.multi_turn.enable") is True:
        found.append("the run's rollout has several turns (multi_turn), which needs the trainer's own agent loop")
    if recorded.get("actor_rollout_ref.model.lora_rank", "actor_rollout_ref.model.lora.rank"):
        found += _adapter_problems(recorded)
    return found


def _adapter_problems(recorded: RecordedConfig) -> list[str]:
    """An adapter that verl merges for its engine (in bfloat16) can be merged here too; one beside the weights can't."""
    if recorded.get("actor_rollout_ref.model.lora.merge") is not True:
        return ["the run's engine computed a LoRA adapter beside its base model, the evaluation has one model"]
    if _dtype(recorded) != "bfloat16":
        return [f"verl hands merged adapters over in bfloat16, and the run's engine computed in {_dtype(recorded)}"]
    return []


def _doubts(recorded: RecordedConfig) -> list[str]:
    found = []
    if recorded.get("data.filter_overlong_prompts") is True:
        found.append("the trainer leaves out prompts that are too long, the evaluation takes every row")
    most = recorded.get("data.val_max_samples")
    if isinstance(most, int) and most > 0:
        found.append(f"the trainer validates {most} rows of the file, the evaluation takes every row")
    return found
