"""What a linear layer really multiplies, found from outside: by what comes out for inputs that tell.

Covers reading back the weight from one-hot inputs, and telling how activations were rounded. The layer is called as any
caller does, so a replaced `forward`, a switched-off flag or a kernel that does something else is seen; no kernel's word
is taken. It does not raise the layer's counters, and leaves random state and gradients alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from quant.formats import e2m1, mxfp4
from quant.recipe import Recipe
from quant.rounding import BLOCK_SIZES, rounded

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
    """Every block of the weight that was multiplied lies on the format's grid."""
    weights_match: bool
    """The weight that was multiplied is the layer's own, rounded where the recipe rounds it."""
    activations_match: bool
    """Its outputs are those of activations rounded by this rule; of raw ones, where the recipe keeps them."""


@dataclass(frozen=True)
class Arithmetic:
    """What a layer is said to do: the format and rule, and the operands that they are applied to."""

    fmt: str
    rule: str
    weights: bool
    activations: bool

    def rounded(self, x: Any) -> Any:
        """`x` on the grid."""
        return rounded(x, self.fmt, self.rule)


def arithmetic_of(recipe: Recipe | None) -> Arithmetic:
    """What the layers are asked to do; without a recipe: nothing but the product."""
    if recipe is None:
        return Arithmetic(mxfp4.NAME, "even", weights=False, activations=False)
    return Arithmetic(recipe.format, recipe.scale_rule, recipe.quantize_weights, recipe.quantize_activations)


@dataclass(frozen=True)
class Product:
    """A layer as a function: (rows, in_features) to (rows, out_features), without its bias."""

    call: Callable[[Any], Any]
    in_features: int
    like: Any
    """A tensor with the type and device of the inputs."""

    def columns(self, begin: int = 0, end: int | None = None) -> Any:
        """Columns `begin` to `end` of the weight it multiplies with: (out_features, columns).

        Exact: 1 is on every grid, and each sum has one term that isn't 0.
        """
        end = self.in_features if end is None else min(end, self.in_features)
        outputs = []
        with torch.no_grad():
            for first in range(begin, end, ONE_HOT_ROWS):
                height = min(ONE_HOT_ROWS, end - first)
                one_hot = self.like.new_zeros(height, self.in_features)
                one_hot.diagonal(first).fill_(1.0)
                outputs.append(self.call(one_hot))
        return torch.cat(outputs).t().contiguous()


def probe_layer(
    layer: Any, *, rule: str, weights: bool, activations: bool, fmt: str = mxfp4.NAME, own: Any = None
) -> Probe:
    """Compares an `nn.Linear` with one that rounds weights and activations as said.

    `own`: the rounded weight, where it isn't rounded alone (NVFP4's shared scale).
    """
    said = Arithmetic(fmt, rule, weights, activations)
    with torch.no_grad(), _counters_kept(layer), _without_bias(layer):
        product = Product(layer, layer.in_features, layer.weight)
        expected = layer.weight if not weights else said.rounded(layer.weight) if own is None else own
        return probe_product(product, said, expected)


def probe_product(product: Product, said: Arithmetic, expected: Any, begin: int = 0, end: int | None = None) -> Probe:
    """Compares a product with what is said of it, in columns `begin` to `end` of the weight `expected` (out, in).

    `begin` is a multiple of the format's block size. Activations are 0 outside of these columns.
    """
    with torch.no_grad():
        multiplied = product.columns(begin, end)
        width = multiplied.shape[1]
        inputs = product.like.new_zeros(PROBE_ROWS, product.in_features)
        inputs[:, begin : begin + width] = probe_inputs(width).to(inputs.device, inputs.dtype)
        operand = said.rounded(inputs) if said.activations else inputs
        outputs = product.call(inputs)
        return Probe(
            weights_on_grid=on_grid(multiplied, said),
            weights_match=bool(torch.equal(multiplied, expected[:, begin : begin + width])),
            activations_match=is_product(outputs, operand[:, begin : begin + width], multiplied),
        )


def read_weight(layer: Any) -> Any:
    """The weight that an `nn.Linear` multiplies with. A bias would round it, so it is left out meanwhile."""
    with _without_bias(layer):
        return Product(layer, layer.in_features, layer.weight).columns()


def on_grid(weight: Any, said: Arithmetic) -> bool:
    """Whether every block along the last dimension lies on the format's grid.

    MXFP4: rounding it again changes nothing. Of other formats the scale isn't known: then each block must be E2M1's
    magnitudes times some step, but for the rounding of the tensor's own type.
    """
    if said.fmt == mxfp4.NAME:
        return bool(torch.equal(said.rounded(weight), weight))
    size = BLOCK_SIZES[said.fmt]
    padded = torch.nn.functional.pad(weight.float(), (0, -weight.shape[-1] % size))
    blocks = padded.reshape(-1, size).abs()
    largest = blocks.amax(-1, keepdim=True)
    tolerance = 4 * torch.finfo(weight.dtype).eps
    found = largest.squeeze(-1) == 0
    for top in e2m1.GRID[1:]:
        scaled = blocks * (top / torch.where(largest > 0, largest, 1.0))
        nearest = e2m1.round_magnitudes(scaled.clone())
        found |= ((scaled - nearest).abs() <= tolerance * scaled).all(-1)
    return bool(found.all())


def probe_inputs(length: int) -> Any:
    """Fixed float32 rows that are off the grid, and whose blocks every scale rule rounds differently."""
    generator = torch.Generator().manual_seed(4)
    rows = torch.rand(PROBE_ROWS, length, generator=generator) * 2.4 - 1.2
    block_size = mxfp4.BLOCK_SIZE
    for row in range(PROBE_ROWS):
        for block, begin in enumerate(range(0, length, block_size)):
            width = min(block_size, length - begin)
            rows[row, begin + (7 * row + block) % width] = PROBE_PEAKS[(row + block) % len(PROBE_PEAKS)]
    return rows


def is_product(outputs: Any, inputs: Any, weight: Any, bias: Any = None) -> bool:
    """Whether the outputs are `inputs @ weight.T + bias`, but for the order of summation and their type's rounding."""
    left, right = inputs.double(), weight.double().t()
    product, scale = left @ right, left.abs() @ right.abs()
    unit = torch.finfo(torch.float32).eps
    allowed = SUM_ERRORS * unit * scale + torch.finfo(outputs.dtype).eps * product.abs()
    if bias is not None:
        product = product + bias.double()
        allowed = allowed + torch.finfo(outputs.dtype).eps * product.abs()
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
