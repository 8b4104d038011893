"""A fused layer's weight through syncs, whole and in parts, as vLLM's loaders bring it. Needs no vLLM."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from quant.errors import WeightsError
from quant.fingerprint import fingerprint, total
from quant.formats import mxfp4, nvfp4
from quant.layers import same_bits
from quant.recipe import Recipe
from quant.vllm.layer_record import LayerRecord, cut

pytestmark = pytest.mark.torch

NAMES = ("layer.q_proj", "layer.k_proj", "layer.v_proj")
SIZES = (8, 4, 4)
WIDTH = 64
SHARDS = ("q", "k", "v")
MXFP4 = Recipe("test")
NVFP4 = Recipe.from_dict({"name": "test", "format": "nvfp4", "block_size": 16})


def tensors(seed: int) -> dict[str, Any]:
    """The checkpoint's: of different magnitudes, so that a shared scale is not each one's own."""
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{name}.weight": torch.randn(rows, WIDTH, generator=generator) * 3.0**index
        for index, (name, rows) in enumerate(zip(NAMES, SIZES))
    }


class Layer:
    """A fused weight and its record, loaded by vLLM's shard ids."""

    def __init__(self, recipe: Recipe = MXFP4) -> None:
        self.weight = torch.zeros(sum(SIZES), WIDTH)
        self.record = LayerRecord(recipe, cut(NAMES, SIZES))
        self.loader = self.record.watch(self._write)

    def _write(self, param: Any, loaded: Any, shard: Any = None) -> None:
        self.record.parts[SHARDS.index(shard)].of(param).copy_(loaded)

    def sync(self, weights: dict[str, Any], shards: tuple[str, ...] = SHARDS) -> None:
        for shard in shards:
            self.loader(self.weight, weights[f"layer.{shard}_proj.weight"], shard)
        self.record.settle(self.weight)

    def part(self, shard: str) -> Any:
        return self.record.parts[SHARDS.index(shard)].of(self.weight)


@pytest.mark.parametrize("recipe", [MXFP4, NVFP4])
def test_what_arrived_has_the_checkpoints_fingerprint_and_what_lies_there_the_rounded_ones(recipe: Recipe) -> None:
    layer, weights = Layer(recipe), tensors(1)
    layer.sync(weights)
    assert layer.record.received_sums.hex() == fingerprint(weights)
    resident = {f"layer.{shard}_proj.weight": layer.part(shard) for shard in SHARDS}
    assert layer.record.resident_sums.hex() == fingerprint(resident) != fingerprint(weights)


def test_mxfp4_rounds_each_part_as_the_trainer_does() -> None:
    layer, weights = Layer(), tensors(1)
    layer.sync(weights)
    for shard in SHARDS:
        assert same_bits(layer.part(shard), mxfp4.quantize_dequantize(weights[f"layer.{shard}_proj.weight"]))


def test_nvfp4_shares_the_smallest_scale_of_the_fused_parts() -> None:
    layer, weights = Layer(NVFP4), tensors(1)
    layer.sync(weights)
    whole = torch.cat(list(weights.values()))
    assert same_bits(layer.weight, nvfp4.quantize_dequantize(whole))
    assert not same_bits(layer.part("q"), nvfp4.quantize_dequantize(weights["layer.q_proj.weight"]))


@pytest.mark.parametrize("recipe", [MXFP4, NVFP4])
def test_settling_again_without_new_weights_changes_no_bit_and_counts_no_sync(recipe: Recipe) -> None:
    layer = Layer(recipe)
    layer.sync(tensors(1))
    before, record = layer.weight.clone(), vars(layer.record).copy()
    layer.record.settle(layer.weight)
    assert same_bits(layer.weight, before) and layer.record.syncs == 1
    assert layer.record.received == record["received"]


@pytest.mark.parametrize("recipe", [MXFP4, NVFP4])
def test_a_second_sync_is_as_if_it_were_the_first(recipe: Recipe) -> None:
    layer, fresh = Layer(recipe), Layer(recipe)
    layer.sync(tensors(1))
    layer.sync(tensors(2))
    fresh.sync(tensors(2))
    assert same_bits(layer.weight, fresh.weight) and layer.record.syncs == 2
    assert layer.record.received == fresh.record.received and layer.record.resident == fresh.record.resident


def test_a_sync_of_one_part_leaves_the_others_alone() -> None:
    layer, weights = Layer(), tensors(1)
    layer.sync(weights)
    newer = tensors(2)
    layer.sync(newer, ("k",))
    mixed = {**weights, "layer.k_proj.weight": newer["layer.k_proj.weight"]}
    assert layer.record.received_sums.hex() == fingerprint(mixed)


def test_weights_that_are_on_the_grid_already_count_as_received() -> None:
    layer, weights = Layer(), tensors(1)
    layer.sync(weights)
    rounded = {name: mxfp4.quantize_dequantize(value) for name, value in weights.items()}
    layer.sync(rounded)
    assert layer.record.received_sums.hex() == fingerprint(rounded) == layer.record.resident_sums.hex()


def test_weights_written_past_the_loader_are_seen() -> None:
    layer, weights = Layer(), tensors(1)
    layer.sync(tensors(2))
    layer.weight.copy_(torch.cat(list(weights.values())))
    layer.record.settle(layer.weight)
    assert layer.record.received_sums.hex() == fingerprint(weights)


def test_nvfp4_refuses_a_part_without_those_that_share_its_scale() -> None:
    layer = Layer(NVFP4)
    layer.sync(tensors(1))
    with pytest.raises(WeightsError, match=r"brought layer.k_proj without layer.q_proj, whose NVFP4 scale it shares"):
        layer.sync(tensors(2), ("k",))


def test_w16_keeps_the_weights() -> None:
    layer, weights = Layer(Recipe("test", quantize_weights=False)), tensors(1)
    layer.sync(weights)
    assert total(layer.record.resident.values()).hex() == fingerprint(weights)
