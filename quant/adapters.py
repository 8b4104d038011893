"""LoRA adapters that verl trained beside the weights they change, merged as verl itself merges them for its engine.

`weight + (B @ A) * (alpha / r)` for each adapted layer, in the weight's own type (the product in float32), under the
names of the model without its adapters. Rank and alpha are what verl writes beside the shards (`lora_train_meta.json`).
Covers plain LoRA of linear layers; anything else that PEFT can add is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quant.errors import WeightsError

META_NAME = "lora_train_meta.json"
_PREFIX, _WRAPPED = "base_model.model.", ".base_layer."
_A, _B = ".lora_A.default.weight", ".lora_B.default.weight"
_OTHERS = (".lora_embedding_", ".lora_magnitude_vector", ".modules_to_save.", ".lora_bias")
"""Of DoRA, adapted embeddings, layers trained whole beside the adapter, adapters with a bias."""


def scaling(folder: Path) -> float | None:
    """alpha / r of the adapters whose shards lie in `folder`; None where verl wrote none. Raises `WeightsError`."""
    file = folder / META_NAME
    if not file.is_file():
        return None
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
        return float(meta["lora_alpha"]) / int(meta["r"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise WeightsError(f"{file} doesn't say rank and alpha: {error}", "restore it from the run") from error


def plain_name(name: str) -> str:
    """A tensor's name in the model without adapters."""
    return name.removeprefix(_PREFIX).replace(_WRAPPED, ".")


def is_adapter(name: str) -> bool:
    """Whether the tensor is an adapter's own."""
    return name.endswith((_A, _B))


def merged(weights: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """The model's weights with its adapters in them. Raises `WeightsError`."""
    strange = next((name for name in weights if any(word in name for word in _OTHERS)), None)
    if strange is not None:
        raise WeightsError(f"the adapter holds {strange}, which is no plain LoRA of a linear layer", "merge it first")
    found = {plain_name(name): value for name, value in weights.items() if not is_adapter(name)}
    for name in (each for each in weights if each.endswith(_A)):
        layer = name.removesuffix(_A)
        target = plain_name(f"{layer}.weight")
        other = weights.get(layer + _B)
        if other is None or target not in found:
            raise WeightsError(f"the adapter of {layer} is not whole", "save the whole model")
        found[target] = found[target] + ((other.float() @ weights[name].float()) * scale).to(found[target].dtype)
    return found
