"""The probe sees what a layer multiplies, whatever the layer says of itself; and it leaves no trace."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant.formats.mxfp4 import RULE_ADDENDS, quantize_dequantize
from quant.layers import apply_recipe, same_bits
from quant.probe import PROBE_ROWS, Probe, probe_inputs, probe_layer, read_weight
from quant.recipe import Recipe

pytestmark = pytest.mark.torch

RULES = tuple(RULE_ADDENDS)


def make(inputs: int = 70, outputs: int = 24, *, bias: bool = True, dtype: Any = torch.float32, **recipe: Any) -> Any:
    """One quantized layer."""
    generator = torch.Generator().manual_seed(1)
    layer = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    layer = layer.to(dtype)
    apply_recipe(layer, Recipe("test", **recipe))
    return layer


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(70, 24), (32, 1), (1, 5), (600, 40)])
def test_the_weight_read_back_is_the_rounded_one(inputs: int, outputs: int, bias: bool, dtype: Any) -> None:
    layer = make(inputs, outputs, bias=bias, dtype=dtype)
    with torch.no_grad():
        assert torch.equal(read_weight(layer), quantize_dequantize(layer.weight))
    assert probe_layer(layer, rule="even", weights=True, activations=True) == Probe(True, True, True)


@pytest.mark.parametrize("asked", RULES)
@pytest.mark.parametrize("used", RULES)
def test_only_the_rule_that_was_used_matches(used: str, asked: str) -> None:
    found = probe_layer(make(scale_rule=used), rule=asked, weights=True, activations=True)
    assert (found.weights_match, found.activations_match) == (used == asked, used == asked)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [32, 1000])
def test_every_kind_is_told_from_every_other(width: int, dtype: Any) -> None:
    kinds = {"W4A4": (True, True), "W4A16": (True, False), "W16A4": (False, True), "BF16": (False, False)}
    for made, (weights, activations) in kinds.items():
        layer = make(width, dtype=dtype)
        layer.operands.weights, layer.operands.activations = weights, activations
        for asked, (asked_weights, asked_activations) in kinds.items():
            found = probe_layer(layer, rule="even", weights=asked_weights, activations=asked_activations)
            assert (found.weights_match and found.activations_match) == (made == asked), (made, asked)
            assert found.weights_on_grid == weights


def test_one_element_off_the_grid_in_a_large_weight_is_seen() -> None:
    layer = make(512, 300)
    layer.operands.held_weight = quantize_dequantize(layer.weight.detach())
    layer.operands.held_weight[299, 511] += 1e-3
    found = probe_layer(layer, rule="even", weights=True, activations=True)
    assert (found.weights_on_grid, found.weights_match, found.activations_match) == (False, False, True)


def test_a_replaced_forward_is_seen_through_its_flags() -> None:
    layer = make()
    layer.forward = lambda x: nn.functional.linear(x, layer.weight, layer.bias)
    assert probe_layer(layer, rule="even", weights=True, activations=True) == Probe(False, False, False)


def test_weights_that_are_not_finite_match_nothing() -> None:
    layer = make()
    with torch.no_grad():
        layer.weight[0, 0] = float("inf")
    found = probe_layer(layer, rule="even", weights=True, activations=True)
    assert not found.weights_on_grid and not found.weights_match


def test_the_probe_leaves_no_trace() -> None:
    layer = make()
    before, random = {name: value.clone() for name, value in layer.state_dict().items()}, torch.get_rng_state()
    bias, counters = layer.bias, layer.operands.calls
    probe_layer(layer, rule="even", weights=True, activations=True)
    assert layer.bias is bias and all(parameter.grad is None for parameter in layer.parameters())
    assert all(same_bits(value, before[name]) for name, value in layer.state_dict().items())
    assert layer.operands.calls == counters == layer.operands.weight_calls == layer.operands.activation_rows
    assert torch.equal(torch.get_rng_state(), random)


def test_the_bias_comes_back_when_the_layer_fails() -> None:
    layer = make()
    bias = layer.bias

    def fail(x: Any) -> Any:
        raise RuntimeError("own")

    layer.forward = fail
    with pytest.raises(RuntimeError, match="own"):
        read_weight(layer)
    assert layer.bias is bias


@pytest.mark.parametrize("length", [1, 31, 32, 64, 70])
def test_the_probes_inputs_are_off_the_grid(length: int) -> None:
    inputs = probe_inputs(length)
    assert inputs.shape == (PROBE_ROWS, length)
    assert not torch.equal(quantize_dequantize(inputs), inputs)
    assert torch.equal(inputs, probe_inputs(length))
