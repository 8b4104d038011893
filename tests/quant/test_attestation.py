"""The attestation can't be fooled: a matrix of faults, each refused with its own reason and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from quant import attestation  # noqa: E402
from quant.fingerprint import fingerprint  # noqa: E402
from quant.formats.mxfp4 import RULE_ADDENDS  # noqa: E402
from quant.layers import apply_recipe, expected_linears, frozen_weights, quantized_linears, remove  # noqa: E402
from quant.recipe import Recipe  # noqa: E402
from quant.verification import refusals  # noqa: E402
from tests.quant.tiny import TinyModel  # noqa: E402

pytestmark = pytest.mark.torch

RECIPE = Recipe("test")
INPUTS = torch.randn(6, 40, generator=torch.Generator().manual_seed(9))
TRAINED = fingerprint(TinyModel(seed=1).state_dict())
START = fingerprint(TinyModel(seed=0).state_dict())
ALL_LAYERS = "first, block.up, block.down"


def attest(
    before: Callable[[Any], object] = lambda model: None,
    during: Callable[[Any], object] = lambda model: None,
    *,
    recipe: Recipe | None = RECIPE,
) -> dict[str, Any]:
    """An evaluation of the trained model: `before` it is opened, `during` it between two of its three batches."""
    model = TinyModel(seed=1)
    if recipe is not None:
        apply_recipe(model, recipe)
    before(model)
    opening = attestation.begin(model, recipe)
    with torch.no_grad():
        model(INPUTS)
        during(model)
        model(INPUTS.to(model.first.weight.dtype))
        model(INPUTS.to(model.first.weight.dtype))
    return attestation.close(model, opening, checkpoint_fingerprint=TRAINED, start_fingerprint=START, weights_step=29)


def reasons(document: dict[str, Any], recipe: Recipe | None = RECIPE) -> tuple[str, ...]:
    """Why it is refused."""
    asked = recipe.to_dict() if recipe is not None else None
    return refusals(document, recipe=asked, checkpoint_fingerprint=TRAINED, start_fingerprint=START)


def each(act: Callable[[Any], object]) -> Callable[[Any], None]:
    """Does it to the operands of every quantized layer."""

    def run(model: Any) -> None:
        for layer in quantized_linears(model).values():
            act(layer.operands)

    return run


def test_an_honest_evaluation_is_accepted_and_says_what_was_active() -> None:
    document = attest()
    assert reasons(document) == ()
    assert (document["active_layers"], document["expected_layers"], document["calls"]) == (3, 3, 9)
    assert document["layers"]["block.up"]["activation_rows"] == 18
    assert (document["weights_step"], document["fingerprint_begin"], document["fingerprint_end"]) == (
        29,
        TRAINED,
        TRAINED,
    )


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("a", quantize_activations=False),
        Recipe("b", quantize_weights=False),
        Recipe("c", scale_rule="floor"),
        Recipe("d", exclude=()),
        Recipe("e", exclude=("block", "lm_head")),
    ],
)
def test_every_recipe_proves_itself_and_no_other(recipe: Recipe) -> None:
    document = attest(recipe=recipe)
    assert reasons(document, recipe) == ()
    assert reasons(document, RECIPE) != ()
    assert document["active_layers"] == document["expected_layers"] > 0


def test_it_is_json_and_survives_it() -> None:
    document = attest()
    assert reasons(json.loads(json.dumps(document))) == ()


def test_what_ran_before_the_opening_proves_nothing() -> None:
    model = TinyModel(seed=1)
    apply_recipe(model, RECIPE)
    model(INPUTS)
    opening = attestation.begin(model, RECIPE)
    document = attestation.close(model, opening, checkpoint_fingerprint=TRAINED)
    assert reasons(document) == (f"not used during the evaluation: {ALL_LAYERS}",)
    assert (document["active_layers"], document["calls"]) == (0, 0)


def test_a_second_evaluation_counts_only_its_own() -> None:
    model = TinyModel(seed=1)
    apply_recipe(model, RECIPE)
    calls = []
    for _ in range(2):
        opening = attestation.begin(model, RECIPE)
        with torch.no_grad():
            model(INPUTS)
        calls.append(attestation.close(model, opening)["calls"])
    assert calls == [3, 3]


def test_frozen_weights_prove_the_same() -> None:
    model = TinyModel(seed=1)
    apply_recipe(model, RECIPE)
    opening = attestation.begin(model, RECIPE)
    with torch.no_grad(), frozen_weights(model):
        model(INPUTS)
    assert reasons(attestation.close(model, opening, checkpoint_fingerprint=TRAINED)) == ()


def test_the_attestation_changes_no_number_and_no_weight() -> None:
    model, twin = TinyModel(seed=1), TinyModel(seed=1)
    apply_recipe(model, RECIPE)
    apply_recipe(twin, RECIPE)
    opening = attestation.begin(model, RECIPE)
    with torch.no_grad():
        first = model(INPUTS)
        attestation.close(model, opening)
        assert torch.equal(model(INPUTS), first) and torch.equal(twin(INPUTS), first)
    assert fingerprint(model.state_dict()) == TRAINED


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
    operands.rule, operands.addend = "floor", RULE_ADDENDS["floor"]


def wrong_rule_secretly(operands: Any) -> None:
    operands.addend = RULE_ADDENDS["floor"]


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


def test_counters_that_stand_still_are_refused_though_everything_is_rounded() -> None:
    model = TinyModel(seed=1)
    apply_recipe(model, RECIPE)
    opening = attestation.begin(model, RECIPE)
    with torch.no_grad():
        model(INPUTS)
    for name, layer in quantized_linears(model).items():
        for counter, value in vars(opening.counts[name]).items():
            setattr(layer.operands, counter, value)
    document = attestation.close(model, opening, checkpoint_fingerprint=TRAINED, start_fingerprint=START)
    assert reasons(document) == (f"not used during the evaluation: {ALL_LAYERS}",)


def test_quantization_that_came_after_the_opening_is_refused() -> None:
    model = TinyModel(seed=1)
    opening = attestation.begin(model, RECIPE)
    apply_recipe(model, RECIPE)
    with torch.no_grad():
        model(INPUTS)
    document = attestation.close(model, opening, checkpoint_fingerprint=TRAINED, start_fingerprint=START)
    assert reasons(document) == (f"quantized only after the evaluation began, or anew: {ALL_LAYERS}",)


def test_a_product_that_goes_around_the_layer_is_not_used() -> None:
    model = TinyModel(seed=1)
    apply_recipe(model, RECIPE)
    opening = attestation.begin(model, RECIPE)
    with torch.no_grad():
        nn.functional.linear(INPUTS, model.first.weight, model.first.bias)
    document = attestation.close(model, opening, checkpoint_fingerprint=TRAINED, start_fingerprint=START)
    assert reasons(document) == (f"not used during the evaluation: {ALL_LAYERS}",)


def test_another_type_than_the_recipes_is_refused() -> None:
    found = reasons(attest(during=lambda model: model.bfloat16()))
    assert any(reason.startswith("weights were bfloat16") for reason in found)


def test_the_unquantized_model_proves_itself_unquantized() -> None:
    document = attest(recipe=None)
    assert reasons(document, None) == ()
    assert (document["active_layers"], document["found"], document["calls"]) == (0, [], 0)
    assert set(document["expected"]) == set(expected_linears(TinyModel(seed=1), None))
    assert reasons(document, RECIPE)[0] == "the engine evaluated without a recipe"


def test_a_quantized_model_is_no_unquantized_one() -> None:
    assert reasons(attest(), None) == ("the unquantized model was asked for, but the engine quantized",)
    model = TinyModel(seed=1)
    opening = attestation.begin(model, None)
    model.first.forward = lambda x: nn.functional.linear(x.round(), model.first.weight, model.first.bias)
    document = attestation.close(model, opening, checkpoint_fingerprint=TRAINED)
    assert reasons(document, None) == ("the unquantized model was asked for, but the product was another: first",)


def test_a_model_evaluated_in_another_type_than_stored_names_both_fingerprints() -> None:
    model = TinyModel(seed=1).bfloat16()
    loaded = fingerprint(model.state_dict())
    opening = attestation.begin(model, None)
    stored = attestation.StoredFingerprints(TRAINED, START)
    document = attestation.close(model, opening, checkpoint_fingerprint=loaded, stored=stored)
    assert reasons(document, None) == ()
    assert reasons(attestation.close(model, opening), None) == ("the weights evaluated are not the checkpoint's",)
