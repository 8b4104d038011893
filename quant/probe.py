"""What a linear layer really multiplies, found from outside: by what comes out for inputs that tell.

Covers reading back the weight from one-hot inputs, and telling how activations were rounded. It calls the layer as any
caller does, so a replaced `forward` or a switched-off flag is seen. It does not raise the layer's counters, and leaves
random state and gradients alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from quant.formats.mxfp4 import BLOCK_SIZE, RULE_ADDENDS, round_last_dim

ONE_HOT_ROWS = 256
"""Rows of one-hot inputs a call, so that a large layer is read back in little memory."""

PROBE_ROWS = 16
PROBE_PEAKS = (1.3, 1.6, 1.9)
"""Largest magnitudes of the probe's blocks: between them every two scale rules differ."""

SUM_ERRORS = 16.0
"""How many float32 units of the sum of magnitudes two orders of summation may differ; another rule differs by 1000s."""

_COUNTERS = ("calls", "weight_calls", "activation_calls", "activation_rows")


@dataclass(frozen=True)
class Probe:
    """What one layer was seen to do."""

    weights_on_grid: bool
    """Quantizing the weight that was multiplied changes nothing."""
    weights_match: bool
    """The weight that was multiplied is the layer's own, rounded where the recipe rounds it."""
    activations_match: bool
    """Its outputs are those of activations rounded by this rule; of raw ones, where the recipe keeps them."""


def probe_layer(layer: Any, *, rule: str, weights: bool, activations: bool) -> Probe:
    """Compares the layer with one that rounds weights and activations as said."""
    addend = RULE_ADDENDS[rule]
    with torch.no_grad(), _counters_kept(layer):
        multiplied = read_weight(layer)
        own = round_last_dim(layer.weight, addend) if weights else layer.weight
        inputs = probe_inputs(layer.in_features).to(layer.weight.device, layer.weight.dtype)
        rounded = round_last_dim(inputs, addend) if activations else inputs
        return Probe(
            weights_on_grid=bool(torch.equal(round_last_dim(multiplied, addend), multiplied)),
            weights_match=bool(torch.equal(multiplied, own)),
            activations_match=_is_product(layer(inputs), rounded, multiplied, layer.bias),
        )


def read_weight(layer: Any) -> Any:
    """The weight that the layer multiplies with, from its outputs for one-hot inputs.

    Exact: 1 is on every grid, and each sum has one term that isn't 0. A bias would round it, so it is left out here.
    """
    rows = []
    with torch.no_grad(), _without_bias(layer):
        for begin in range(0, layer.in_features, ONE_HOT_ROWS):
            height = min(ONE_HOT_ROWS, layer.in_features - begin)
            one_hot = layer.weight.new_zeros(height, layer.in_features)
            one_hot.diagonal(begin).fill_(1.0)
            rows.append(layer(one_hot))
    return torch.cat(rows).t().contiguous()


def probe_inputs(length: int) -> Any:
    """Fixed float32 rows that are off the grid, and whose blocks every scale rule rounds differently."""
    generator = torch.Generator().manual_seed(4)
    rows = torch.rand(PROBE_ROWS, length, generator=generator) * 2.4 - 1.2
    for row in range(PROBE_ROWS):
        for block, begin in enumerate(range(0, length, BLOCK_SIZE)):
            width = min(BLOCK_SIZE, length - begin)
            rows[row, begin + (7 * row + block) % width] = PROBE_PEAKS[(row + block) % len(PROBE_PEAKS)]
    return rows


def _is_product(outputs: Any, inputs: Any, weight: Any, bias: Any) -> bool:
    """Whether the outputs are `inputs @ weight.T + bias`, but for the order of summation and their type's rounding."""
    left, right = inputs.double(), weight.double().t()
    product, scale = left @ right, left.abs() @ right.abs()
    if bias is not None:
        product, scale = product + bias.double(), scale + bias.double().abs()
    unit = torch.finfo(torch.float32).eps
    allowed = SUM_ERRORS * unit * scale + torch.finfo(outputs.dtype).eps * product.abs()
    return bool(((outputs.double() - product).abs() <= allowed).all())


@contextmanager
def _without_bias(layer: Any) -> Iterator[None]:
    bias = layer.bias
    layer.bias = None
    try:
        yield
    finally:
        layer.bias = bias


@contextmanager
def _counters_kept(layer: Any) -> Iterator[None]:
    operands = getattr(layer, "operands", None)
    before = [getattr(operands, name) for name in _COUNTERS] if operands is not None else []
    try:
        yield
    finally:
        for name, value in zip(_COUNTERS, before):
            setattr(operands, name, value)
