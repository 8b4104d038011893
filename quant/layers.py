"""Putting a recipe into a model's `nn.Linear` layers, and taking it out again.

A quantized layer stays the same object with the same parameters: its class changes, so state-dict keys, optimizers,
hooks, FSDP2 (`fully_shard`, before or after) and `torch.compile` know nothing of it. Does not cover proving what was
active (`quant.attestation`) nor which layers can be quantized (`quant.fitness`).

Where the same weights serve many products (generation), `frozen_weights` rounds them once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from quant import shared_scales
from quant.errors import RecipeError, WeightsError
from quant.fake_quant import Operands
from quant.fitness import check_layers, is_sharded
from quant.recipe import Recipe


class QuantizedLinear(nn.Linear):
    """An `nn.Linear` whose product takes rounded operands. Made by `apply_recipe` only."""

    operands: Operands

    def forward(self, input: Any) -> Any:
        return self.operands.product(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        operands = self.operands
        label = f"W{4 if operands.weights else 16}A{4 if operands.activations else 16}"
        return f"{super().extra_repr()}, {operands.format} {label}, rule={operands.rule}"

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Any:
        """Where the layer goes its counters go: a compiled graph adds to them on its own device."""
        self.operands.compiled_counts = fn(self.operands.compiled_counts)
        return super()._apply(fn, recurse)


def expected_linears(model: Any, recipe: Recipe | None) -> dict[str, Any]:
    """Every linear layer that the recipe means, by name. Without a recipe: every linear layer."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not (recipe is not None and recipe.excludes(name))
    }


def quantized_linears(model: Any) -> dict[str, Any]:
    """Every layer that holds a recipe now, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, QuantizedLinear)}


def apply_recipe(model: Any, recipe: Recipe) -> tuple[str, ...]:
    """Quantizes every linear layer that the recipe means; counters begin at 0. Returns their names.

    All or none: raises `RecipeError` or `WeightsError` and changes nothing where one of them can't be quantized.
    """
    recipe.check_own()
    layers = expected_linears(model, recipe)
    if not layers:
        raise RecipeError(
            f"recipe `{recipe.name}` finds no linear layer in this model", "check `include` and `exclude`"
        )
    check_layers(model, layers, QuantizedLinear)
    sharing = shared_scales.groups(model, layers, recipe)
    remove(model)
    for name, layer in layers.items():
        layer.operands = Operands(
            format=recipe.format,
            rule=recipe.scale_rule,
            weights=recipe.quantize_weights,
            activations=recipe.quantize_activations,
            device=layer.weight.device,
        )
        layer.operands.sharing = sharing.get(name, ())
        layer.__class__ = _with_base(type(layer), nn.Linear, QuantizedLinear)
    return tuple(layers)


def remove(model: Any) -> tuple[str, ...]:
    """Makes every quantized layer a plain `nn.Linear` again. Returns their names. Nothing to do is no error."""
    layers = quantized_linears(model)
    for layer in layers.values():
        layer.__class__ = _with_base(type(layer), QuantizedLinear, nn.Linear)
        del layer.operands
    return tuple(layers)


def _with_base(kind: type, old: type, new: type) -> type:
    """The class with one base exchanged: `nn.Linear` itself, or what `fully_shard` made of it."""
    if kind is old:
        return new
    bases = tuple(new if base is old else base for base in kind.__bases__)
    return type(kind.__name__, bases, {key: value for key, value in vars(kind).items() if key not in _CLASS_OWN})


_CLASS_OWN = ("__dict__", "__weakref__", "__doc__")


@contextmanager
def frozen_weights(model: Any) -> Iterator[None]:
    """Rounds every quantized weight once and multiplies with that until the end: generation, not training.

    Raises `WeightsError` at the end if a weight changed meanwhile: what was computed then used stale weights. At the
    beginning, if a weight is sharded: this process holds a part of it. Inside another `frozen_weights` it does nothing.
    """
    layers = {name: layer for name, layer in quantized_linears(model).items() if layer.operands.held_weight is None}
    sharded = [name for name, layer in layers.items() if is_sharded(layer.weight)]
    if sharded:
        raise WeightsError(f"the weight of {sharded[0]} is sharded, so it can't be frozen", "gather the weights first")
    with torch.no_grad():
        for layer in layers.values():
            layer.operands.held_weight = layer.operands.weight_again(layer.weight)
    try:
        yield
        changed = [name for name, layer in layers.items() if not _held_is_current(layer)]
    finally:
        for layer in layers.values():
            layer.operands.held_weight = None
    if changed:
        raise WeightsError(
            f"the weights of {changed[0]} changed while they were frozen ({len(changed)} layers in all)",
            "update weights outside of `frozen_weights`",
        )


def _held_is_current(layer: Any) -> bool:
    held, layer.operands.held_weight = layer.operands.held_weight, None
    with torch.no_grad():
        return same_bits(held, layer.operands.weight_again(layer.weight))


def same_bits(left: Any, right: Any) -> bool:
    """Whether two tensors are the same bit for bit; a NaN equals itself, -0 is not 0."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return bool(torch.equal(left.contiguous().view(torch.uint8), right.contiguous().view(torch.uint8)))
