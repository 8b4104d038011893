"""What an attestation proves, of which evaluation, and what it leaves alone. Faults: test_attestation_faults.py."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant import attestation
from quant.fingerprint import fingerprint
from quant.layers import apply_recipe, expected_linears, frozen_weights, quantized_linears
from quant.recipe import Recipe
from tests.quant.attested import ALL_LAYERS, INPUTS, RECIPE, START, TRAINED, attest, reasons
from tests.quant.tiny import TinyModel

pytestmark = pytest.mark.torch


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
