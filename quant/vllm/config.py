"""vLLM's view of a recipe: which of its layers are quantized and which are left alone; every other kind is refused.

Covers the quantization config and the linear method. Layers that can't be quantized as the trainer did, experts of a
mixture and weights sharded over tensor-parallel ranks, raise while the model is built. Imports vLLM.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from vllm.model_executor.layers.attention_layer_base import AttentionLayerBase
from vllm.model_executor.layers.linear import LinearBase, LinearMethodBase, UnquantizedLinearMethod
from vllm.model_executor.layers.quantization.base_config import QuantizationConfig
from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead, VocabParallelEmbedding

from quant.errors import RecipeError, WeightsError
from quant.recipe import Recipe
from quant.rounding import BLOCK_SIZES
from quant.vllm.counted import count_product, new_counters, round_activations
from quant.vllm.layer_record import LayerRecord, Part, cut

KERNEL = "torch.nn.functional.linear"


class LaststepConfig(QuantizationConfig):
    """One recipe inside vLLM. Subclasses fix vLLM's name and the format."""

    method = ""
    fmt = ""

    def __init__(self, recipe: Recipe | None = None) -> None:
        super().__init__()
        self.recipe = recipe or Recipe(f"{self.fmt}_w4a4", format=self.fmt, block_size=BLOCK_SIZES[self.fmt])
        self.dtype_is_asked_for = recipe is not None

    def get_name(self) -> str:
        """vLLM's name of it."""
        return self.method

    def get_supported_act_dtypes(self) -> list[Any]:
        """Those of the formats."""
        return [torch.bfloat16, torch.float16, torch.float32]

    @classmethod
    def get_min_capability(cls) -> int:
        """Any GPU: the products are torch's."""
        return 0

    @staticmethod
    def get_config_filenames() -> list[str]:
        """None: the recipe comes with the call."""
        return []

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LaststepConfig:
        """From `quantization_config`. Raises `RecipeError` for an unknown key or another format's recipe."""
        unknown = set(config) - {"quant_method", "recipe"}
        if unknown:
            raise RecipeError(f"quantization_config: unknown key `{sorted(unknown)[0]}`", "keys: quant_method, recipe")
        if "recipe" not in config:
            return cls()
        recipe = Recipe.from_dict(config["recipe"])
        recipe.check_own()
        if recipe.format != cls.fmt:
            raise RecipeError(f"recipe `{recipe.name}` is {recipe.format}, the quantization asked for is {cls.method}")
        return cls(recipe)

    def get_quant_method(self, layer: Any, prefix: str) -> Any:
        """The method of this layer; None where vLLM's own applies to what no recipe means. Raises `RecipeError`."""
        if isinstance(layer, LinearBase):
            return self._linear_method(layer, prefix)
        if isinstance(layer, ParallelLMHead) and not self.recipe.excludes(prefix):
            raise RecipeError(f"vLLM's output head `{prefix}` can't be quantized", "exclude: [lm_head]")
        if isinstance(layer, (VocabParallelEmbedding, AttentionLayerBase)):
            return None
        kind = type(layer).__name__
        raise RecipeError(
            f"layer `{prefix}` is a {kind}, which {self.method} can't quantize as the trainer does",
            "dense models of linear layers are built; experts of a mixture are not",
        )

    def _linear_method(self, layer: Any, prefix: str) -> Any:
        names = self.checkpoint_names(prefix)
        left_alone = [name for name in names if self.recipe.excludes(name)]
        if len(left_alone) == len(names):
            return UnquantizedLinearMethod()
        if left_alone:
            raise RecipeError(
                f"the recipe leaves {left_alone[0]} alone, but vLLM fuses it with others into {prefix}",
                "exclude all of them, or none",
            )
        self._check_shared(names, prefix)
        return LaststepLinearMethod(self.recipe, names, dtype_is_asked_for=self.dtype_is_asked_for)

    def _check_shared(self, names: list[str], prefix: str) -> None:
        """Raises `RecipeError` where the recipe's groups aren't what vLLM fuses; without any, vLLM's hold."""
        here = {name.rpartition(".")[2] for name in names}
        groups = [set(group) for group in self.recipe.shared_scales if here & set(group)]
        if self.recipe.shared_scales and groups != ([here] if len(here) > 1 else []):
            raise RecipeError(
                f"vLLM has {', '.join(sorted(here))} in {prefix}, where the recipe shares scales among "
                f"{self.recipe.to_dict()['shared_scales']}",
                "give `shared_scales` the groups that the model's class fuses",
            )

    def checkpoint_names(self, prefix: str) -> list[str]:
        """Modules of the checkpoint that are this layer: several where vLLM fuses them."""
        stem, dot, last = prefix.rpartition(".")
        return [f"{stem}{dot}{each}" for each in self.packed_modules_mapping.get(last, [last])]


class LaststepMxfp4Config(LaststepConfig):
    """`laststep_mxfp4`. A class of this module, so that vLLM can send it to its other processes."""

    method, fmt = "laststep_mxfp4", "mxfp4"


class LaststepNvfp4Config(LaststepConfig):
    """`laststep_nvfp4`."""

    method, fmt = "laststep_nvfp4", "nvfp4"


CONFIGS = (LaststepMxfp4Config, LaststepNvfp4Config)


class LaststepLinearMethod(LinearMethodBase):
    """A product of rounded operands. The weight stays vLLM's own parameter with its loader, so it can be synced."""

    def __init__(self, recipe: Recipe, names: list[str], *, dtype_is_asked_for: bool) -> None:
        self.recipe = recipe
        self.names = names
        self.dtype_is_asked_for = dtype_is_asked_for

    def create_weights(
        self,
        layer: Any,
        input_size_per_partition: int,
        output_partition_sizes: list[int],
        input_size: int,
        output_size: int,
        params_dtype: Any,
        **extra_weight_attrs: Any,
    ) -> None:
        """As vLLM's unquantized method, with a record and counters. Raises `RecipeError`."""
        if layer.tp_size > 1:
            raise RecipeError(
                f"{layer.prefix} is sharded over {layer.tp_size} tensor-parallel ranks: not built", "use 1"
            )
        dtype = str(params_dtype).removeprefix("torch.")
        if not self.dtype_is_asked_for:
            self.recipe = dataclasses.replace(self.recipe, dtype=dtype)
        if dtype != self.recipe.dtype:
            raise RecipeError(
                f"recipe `{self.recipe.name}` computes in {self.recipe.dtype}, vLLM was started in {dtype}",
                f"start vLLM with dtype={self.recipe.dtype}, or give a recipe with another `dtype`",
            )
        record = LayerRecord(self.recipe, self._parts(output_partition_sizes))
        loader = record.watch(extra_weight_attrs.pop("weight_loader"))
        UnquantizedLinearMethod().create_weights(
            layer,
            input_size_per_partition,
            output_partition_sizes,
            input_size,
            output_size,
            params_dtype,
            weight_loader=loader,
            **extra_weight_attrs,
        )
        layer.laststep_record = record
        layer.register_buffer("laststep_counters", new_counters(layer.weight.device), persistent=False)

    def _parts(self, sizes: list[int]) -> tuple[Part, ...]:
        if len(self.names) == 1:
            return cut(self.names, [sum(sizes)])
        if len(self.names) != len(sizes):
            raise RecipeError(f"{len(sizes)} weights are fused, but the model names {', '.join(self.names)}")
        return cut(self.names, sizes)

    def process_weights_after_loading(self, layer: Any) -> None:
        """Rounds what arrived, in place: at the first loading and after each weight sync."""
        if getattr(layer.weight, "is_meta", False):
            raise WeightsError(f"{layer.prefix} has no weights yet", "load them before")
        with torch.no_grad():
            layer.laststep_record.settle(layer.weight.data)

    def apply(self, layer: Any, x: Any, bias: Any = None) -> Any:
        """`rounded(x) @ weight.T + bias`; the weight is rounded since it was loaded."""
        if self.recipe.quantize_activations:
            x = round_activations(x, layer.laststep_counters, self.recipe.format, self.recipe.scale_rule)
        else:
            count_product(x, layer.laststep_counters)
        return torch.nn.functional.linear(x, layer.weight, bias)
