"""What a quantized vLLM layer knows of its weight: whose rows they are, what arrived, what lies there since.

Covers weight syncs: rounding in place, whole or in parts, again and again. Pure torch: needs no vLLM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from quant.errors import WeightsError
from quant.fingerprint import Sums, sums, total
from quant.formats import nvfp4
from quant.recipe import Recipe
from quant.rounding import rounded, shared_scale

_QKV = ("q", "k", "v")


@dataclass(frozen=True)
class Part:
    """Rows of a layer's weight that are one tensor of the checkpoint."""

    name: str
    """The checkpoint's module, `model.layers.0.self_attn.q_proj`."""
    begin: int
    rows: int

    def of(self, tensor: Any) -> Any:
        """Its rows of the layer's weight or bias."""
        return tensor[self.begin : self.begin + self.rows]

    def sums(self, weight: Any, suffix: str = "weight") -> Sums:
        """The fingerprint's sums, under the checkpoint's name."""
        return sums(f"{self.name}.{suffix}", self.of(weight))


def cut(names: Sequence[str], sizes: Sequence[int]) -> tuple[Part, ...]:
    """Parts of these sizes, one after the other."""
    begins = [sum(sizes[:index]) for index in range(len(sizes))]
    return tuple(Part(name, begin, rows) for name, begin, rows in zip(names, begins, sizes))


@dataclass
class LayerRecord:
    """The weight of one quantized layer through its syncs."""

    recipe: Recipe
    parts: tuple[Part, ...]
    received: dict[str, Sums] = field(default_factory=dict)
    """Of each part as it arrived, before it was rounded."""
    resident: dict[str, Sums] = field(default_factory=dict)
    """Of each part as it was left after rounding."""
    syncs: int = 0
    """How often new weights were rounded; 0 means never."""
    arrived: set[int] = field(default_factory=set)
    """Indices of the parts that the loader wrote since."""

    def watch(self, loader: Callable[..., Any]) -> Callable[..., Any]:
        """vLLM's loader of this weight, noting which parts it writes: the numbers alone may look untouched."""

        def load(param: Any, loaded_weight: Any, *words: Any, **named: Any) -> Any:
            shard = words[0] if words else named.get("loaded_shard_id", named.get("shard_id"))
            self.arrived.update(self._indices(shard))
            return loader(param, loaded_weight, *words, **named)

        return load

    def _indices(self, shard: Any) -> Sequence[int]:
        if isinstance(shard, str) and shard in _QKV and len(self.parts) == len(_QKV):
            return (_QKV.index(shard),)
        if isinstance(shard, int) and shard < len(self.parts):
            return (shard,)
        if isinstance(shard, (tuple, list)):
            return [index for each in shard for index in self._indices(each)]
        return range(len(self.parts))

    def settle(self, weight: Any) -> None:
        """After loading: round in place what arrived. Nothing arrived: nothing happens, however often it is called.

        Raises `WeightsError` where NVFP4 got only some of the tensors that share its scale.
        """
        here = {part.name: part.sums(weight) for part in self.parts}
        fresh = [
            part
            for index, part in enumerate(self.parts)
            if index in self.arrived or here[part.name] != self.resident.get(part.name)
        ]
        self.arrived.clear()
        if not fresh:
            return
        if self.recipe.format == nvfp4.NAME and len(fresh) < len(self.parts):
            missing = [part.name for part in self.parts if part not in fresh]
            raise WeightsError(
                f"a weight sync brought {fresh[0].name} without {missing[0]}, whose NVFP4 scale it shares",
                "sync every weight of a fused layer together",
            )
        self.received.update({part.name: here[part.name] for part in fresh})
        if self.recipe.quantize_weights:
            scale = shared_scale([part.of(weight) for part in fresh], self.recipe.format)
            for part in fresh:
                rows = part.of(weight)
                rows.copy_(rounded(rows, self.recipe.format, self.recipe.scale_rule, scale))
        self.resident.update({part.name: part.sums(weight) for part in fresh})
        self.syncs += 1

    @property
    def received_sums(self) -> Sums:
        """Of the weight as it arrived."""
        return total(self.received.values())

    @property
    def resident_sums(self) -> Sums:
        """Of the weight as rounding left it."""
        return total(self.resident.values())
