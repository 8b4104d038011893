"""verl's FSDP engine on a CPU with quantized linear layers: trains in the recipe that LASTSTEP_TRAIN_RECIPE names.

`actor_rollout_ref.model.external_lib=examples.verl_cpu.quantized_engine`, with the repository on PYTHONPATH. The layers
are those of `quant.layers`, put in before FSDP shards the module. What the products compute in is FSDP's affair:
`actor.fsdp_config.mixed_precision`. Covers the actor, not the rollout engine (that has vLLM's plugin).
"""

from __future__ import annotations

import os
from typing import Any

import verl_cpu.engine
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead

from quant.layers import apply_recipe
from quant.recipe import load_recipe

RECIPE_VARIABLE = "LASTSTEP_TRAIN_RECIPE"


class QuantizedEngine(FSDPEngineWithLMHead):  # type: ignore[misc]
    """Fake quantization in each forward and backward pass of the training."""

    def _build_module(self) -> Any:
        module = super()._build_module()
        if not self.engine_config.forward_only:
            recipe = load_recipe(os.environ[RECIPE_VARIABLE])
            layers = apply_recipe(module, recipe)
            print(f"laststep: training in {recipe.name}: {len(layers)} layers", flush=True)
        return module


def register() -> None:
    """In the place of verl's own engine for a CPU, which that module registered."""
    for backend in ("fsdp", "fsdp2"):
        verl_cpu.engine.EngineRegistry._engines["language_model"][backend]["cpu"] = QuantizedEngine


register()
