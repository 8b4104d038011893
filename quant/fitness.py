"""Whether a model's layers can be quantized: each reason against it as one sentence, before anything is changed.

Covers the layer's class, the weights' type and values, tied embeddings and adapters that were not merged. Pure checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from quant.errors import RecipeError, WeightsError
from quant.formats.blocks import DTYPES

ADAPTER_PARTS = ("lora_A", "lora_B", "lora_embedding_A", "lora_magnitude_vector", "base_layer")
"""Submodules by which PEFT's unmerged adapters are known."""


def check_layers(model: Any, layers: Mapping[str, Any], quantized: type) -> None:
    """Raises `RecipeError` or `WeightsError` where one of `layers` can't be quantized, by its name."""
    _check_adapters(model)
    embeddings = {id(module.weight): name for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    for name, layer in layers.items():
        _check_layer(name, layer, quantized)
        tied = embeddings.get(id(layer.weight))
        if tied is not None:
            raise RecipeError(
                f"layer `{name}` shares its weight with the embedding `{tied}`, which would stay unquantized",
                f"name `{name}` in `exclude`",
            )
    for name, layer in layers.items():
        _check_values(name, layer.weight)


def is_sharded(weight: Any) -> bool:
    """Whether this process holds only a part of it (a DTensor)."""
    return hasattr(weight, "placements")


def _check_adapters(model: Any) -> None:
    for name, _ in model.named_modules():
        parts = name.split(".")
        adapter = next((part for part in parts if part in ADAPTER_PARTS), None)
        if adapter is not None:
            raise RecipeError(
                f"`{'.'.join(parts[: parts.index(adapter)])}` holds an adapter that is not merged (`{adapter}`): "
                "its sum with the base weight would not be quantized",
                "merge it first (`merge_and_unload` in PEFT)",
            )


def _check_layer(name: str, layer: Any, quantized: type) -> None:
    kind = type(layer)
    plain = kind.forward in (nn.Linear.forward, quantized.forward)  # type: ignore[attr-defined]
    if not plain or (kind not in (nn.Linear, quantized) and not _is_sharding_class(kind, quantized)):
        raise RecipeError(
            f"layer `{name}` is a {kind.__name__}, whose product can't be quantized", "name it in `exclude`"
        )
    if layer.weight.dtype not in DTYPES:
        raise RecipeError(f"layer `{name}` holds {layer.weight.dtype}", "float32, bfloat16 and float16 are built")


def _is_sharding_class(kind: type, quantized: type) -> bool:
    """Whether `fully_shard` made this class of `nn.Linear`: it puts a class of its own before it."""
    names = {base.__name__ for base in kind.__bases__}
    return "FSDPModule" in names and bool({nn.Linear, quantized} & set(kind.__bases__))


def _check_values(name: str, weight: Any) -> None:
    """A weight on the meta device has no values yet; of a sharded one this process's part is read."""
    values = weight.to_local() if is_sharded(weight) else weight
    if values.is_meta or not values.numel():
        return
    with torch.no_grad():
        finite = bool(torch.isfinite(values.detach().abs().amax()))
    if not finite:
        raise WeightsError(
            f"the weight of `{name}` holds NaN or infinities, and so would every block with one",
            "the checkpoint is broken, or training diverged: take an earlier one",
        )
