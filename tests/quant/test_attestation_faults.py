"""The attestation can't be fooled: a matrix of faults, each refused with its own reasons and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant.layers import apply_recipe, quantized_linears, remove
from quant.recipe import Recipe
from tests.quant.attested import ALL_LAYERS, INPUTS, RECIPE, attest, reasons
from tests.quant.tiny import TinyModel

pytestmark = pytest.mark.torch


def each(act: Callable[[Any], object]) -> Callable[[Any], None]:
    """Does it to the operands of every quantized layer."""

    def run(model: Any) -> None:
        for layer in quantized_linears(model).values():
            act(layer.operands)

    return run


def plain(model: Any) -> None:
    """Every layer computes unquantized, behind a layer that says otherwise."""
    for layer in quantized_linears(model).values():
        layer.forward = lambda x, layer=layer: nn.functional.linear(x, layer.weight, layer.bias)


def plain_but_counting(model: Any) -> None:
    """As `plain`, with counters that rise as if it were not."""

    def forward(x: Any, layer: Any) -> Any:
        for name in ("calls", "weight_calls", "activation_calls"):
            setattr(layer.operands, name, getattr(layer.operands, name) + 1)
        layer.operands.activation_rows += len(x)
        return nn.functional.linear(x, layer.weight, layer.bias)

    for layer in quantized_linears(model).values():
        layer.forward = lambda x, layer=layer: forward(x, layer)


def skip_one(model: Any) -> None:
    """One layer is left out."""
    del model.block.up.operands
    model.block.up.__class__ = nn.Linear


def only_w4a16(operands: Any) -> None:
    operands.activations = False


def only_w16a4(operands: Any) -> None:
    operands.weights = False


def wrong_rule_openly(operands: Any) -> None:
    operands.rule, operands.rounding = "floor", ("mxfp4", "floor")


def wrong_rule_secretly(operands: Any) -> None:
    operands.rounding = ("mxfp4", "floor")


def stale_operands(model: Any) -> None:
    """Multiplies the rounded weights of before an update."""
    for layer in quantized_linears(model).values():
        layer.operands.held_weight = layer.operands.weight_again(layer.weight.detach() * 1.1)


def other_weights(model: Any) -> None:
    model.load_state_dict(TinyModel(seed=5).state_dict())


def start_weights(model: Any) -> None:
    model.load_state_dict(TinyModel(seed=0).state_dict())


FAULTS_BEFORE: dict[str, tuple[Callable[[Any], object], list[str]]] = {
    "not quantized at all": (remove, [f"not quantized: {ALL_LAYERS} of 3 expected layers"]),
    "one layer skipped": (skip_one, ["not quantized: block.up of 3 expected layers"]),
    "BF16 behind a quantized name": (
        plain,
        [
            "not used during the evaluation",
            "weights multiplied were off the grid",
            "weights multiplied were not the layer's own, rounded by the recipe",
            "activations were not rounded by the recipe's rule",
        ],
    ),
    "BF16 with rising counters": (
        plain_but_counting,
        [
            "weights multiplied were off the grid",
            "weights multiplied were not the layer's own, rounded by the recipe",
            "activations were not rounded by the recipe's rule",
        ],
    ),
    "W4A16": (
        each(only_w4a16),
        ["activations were not rounded by the recipe's rule", "activations were not rounded in every product"],
    ),
    "W16A4": (
        each(only_w16a4),
        [
            "weights multiplied were off the grid",
            "weights multiplied were not the layer's own, rounded by the recipe",
            "weights were not rounded in every product",
        ],
    ),
    "wrong rule, said": (
        each(wrong_rule_openly),
        [
            "scale rule was floor",
            "weights multiplied were not the layer's own, rounded by the recipe",
            "activations were not rounded by the recipe's rule",
        ],
    ),
    "wrong rule, unsaid": (
        each(wrong_rule_secretly),
        [
            "weights multiplied were not the layer's own, rounded by the recipe",
            "activations were not rounded by the recipe's rule",
        ],
    ),
    "rounded weights of before an update": (
        stale_operands,
        ["weights multiplied were not the layer's own, rounded by the recipe"],
    ),
    "the weights of another step": (other_weights, ["the weights evaluated are not the checkpoint's"]),
    "the weights of the start model": (
        start_weights,
        ["the weights evaluated are not the checkpoint's", "the weights evaluated are those of the start model"],
    ),
    "the head quantized too": (
        lambda model: apply_recipe(model, Recipe("more", exclude=())),
        ["quantized but not meant by the recipe: lm_head"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS_BEFORE)
def test_a_fault_is_refused_with_its_own_reasons(fault: str) -> None:
    act, wanted = FAULTS_BEFORE[fault]
    document = attest(before=act)
    found = reasons(document)
    assert len(found) == len(wanted), found
    assert all(reason.startswith(words) for reason, words in zip(found, wanted)), found
    quantization_is_proved = all("weights evaluated" in words or "not meant" in words for words in wanted)
    assert (document["active_layers"] == 3) == quantization_is_proved


def off_for_one_batch(model: Any) -> None:
    """Switched off, used, and switched on again before the end."""
    for layer in quantized_linears(model).values():
        layer.operands.activations = False
    model(INPUTS)
    for layer in quantized_linears(model).values():
        layer.operands.activations = True


def remade(model: Any) -> None:
    apply_recipe(model, RECIPE)


FAULTS_DURING: dict[str, tuple[Callable[[Any], object], list[str]]] = {
    "off for one batch": (off_for_one_batch, ["activations were not rounded in every product"]),
    "quantized anew": (remade, ["quantized only after the evaluation began, or anew"]),
    "weights swapped": (other_weights, ["the weights changed during the evaluation"]),
    "recipe taken out": (remove, ["not quantized: "]),
}


@pytest.mark.parametrize("fault", FAULTS_DURING)
def test_a_fault_in_the_midst_is_refused_with_its_own_reasons(fault: str) -> None:
    act, wanted = FAULTS_DURING[fault]
    found = reasons(attest(during=act))
    assert len(found) == len(wanted), found
    assert all(reason.startswith(words) for reason, words in zip(found, wanted)), found
