"""Others' quantization is accepted where the recipe declares its kernel and every product agrees, else refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant import attestation
from quant.errors import RecipeError
from quant.fingerprint import fingerprint
from quant.layers import apply_recipe
from quant.recipe import Recipe
from quant.verification import refusals
from tests.quant.third_party import LIBRARIES, Model, StandInLinear, stand_in

pytestmark = pytest.mark.torch

INPUTS = torch.randn(6, 64, generator=torch.Generator().manual_seed(9))
TOKENS = 3 * len(INPUTS)
DECLARED = Recipe("test", kernels=("StandInLinear",))
BOTH = "up, down"


def attest(
    model: Any,
    recipe: Recipe = DECLARED,
    *,
    during: Callable[[Any], object] = lambda model: None,
    run: Callable[[Any, Any], Any] = lambda model, x: model(x),
    tokens: int | None = TOKENS,
) -> dict[str, Any]:
    """An evaluation of three batches, with something done after the first."""
    opening = attestation.begin(model, recipe)
    with torch.no_grad():
        run(model, INPUTS)
        during(model)
        run(model, INPUTS)
        run(model, INPUTS)
    trained = fingerprint(Model().state_dict())
    facts = {} if tokens is None else {"tokens": tokens}
    return attestation.close(model, opening, checkpoint_fingerprint=trained, facts=facts)


def reasons(document: dict[str, Any], recipe: Recipe = DECLARED) -> tuple[str, ...]:
    """Why it is refused."""
    trained = fingerprint(Model().state_dict())
    return refusals(document, recipe=recipe.to_dict(), checkpoint_fingerprint=trained, start_fingerprint=None)


def test_a_declared_kernel_that_does_as_the_recipe_says_is_accepted() -> None:
    document = attest(stand_in())
    assert reasons(document) == ()
    assert document["active_layers"] == document["expected_layers"] == 2
    up = document["layers"]["up"]
    assert (up["kernel"], up["counters"], up["calls"], up["rows"]) == ("tests/StandInLinear", "hooks", 3, TOKENS)


def test_compressed_tensors_mxfp4_is_accepted_where_it_is_declared_and_only_there() -> None:
    pytest.importorskip("compressed_tensors")
    name, make = LIBRARIES["compressed-tensors"]
    model, recipe = make(), Recipe("test", kernels=(name,))
    opening = attestation.begin(model, recipe)
    with torch.no_grad():
        for _ in range(3):
            model(INPUTS)
    own = fingerprint(model.state_dict())
    document = attestation.close(model, opening, checkpoint_fingerprint=own, facts={"tokens": TOKENS})
    asked: dict[str, Any] = {"checkpoint_fingerprint": own, "start_fingerprint": None}
    assert refusals(document, recipe=recipe.to_dict(), **asked) == ()
    assert document["layers"]["down"]["kernel"] == "compressed_tensors/Linear"
    undeclared = attest(make(), Recipe("test"))
    assert f"not quantized: {BOTH} of 2 expected layers" in reasons(undeclared, Recipe("test"))
    model.up.quantization_enabled = False
    assert "activations were not rounded in every product: up" in reasons(attest(model, recipe), recipe)


def test_a_kernel_that_nobody_declared_is_refused() -> None:
    assert reasons(attest(stand_in(), Recipe("test")), Recipe("test")) == (
        f"not quantized: {BOTH} of 2 expected layers",
    )
    other = Recipe("test", kernels=("QuarkLinear",))
    assert reasons(attest(stand_in(), other), other) == (f"not quantized: {BOTH} of 2 expected layers",)


def test_a_declaration_of_the_engine_alone_does_not_count() -> None:
    found = reasons(attest(stand_in()), Recipe("test"))
    assert "kernels declared were ['StandInLinear'], asked for was []" in found
    assert f"computed by tests/StandInLinear, which the recipe doesn't declare: {BOTH}" in found


WEIGHTS = "weights multiplied were not the layer's own, rounded by the recipe"
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "BF16": ({"weights": False, "activations": False}, "activations were not rounded by the recipe's rule"),
    "W4A16": ({"activations": False}, "activations were not rounded by the recipe's rule"),
    "W16A4": ({"weights": False}, "weights multiplied were off the grid"),
    "wrong rule": ({"rule": "floor"}, WEIGHTS),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_declared_kernel_that_does_something_else_is_refused(fault: str) -> None:
    changes, reason = FAULTS[fault]
    model = stand_in()
    for key, value in changes.items():
        setattr(model.up, key, value)
    found = reasons(attest(model))
    assert f"{reason}: up" in found
    assert "weights were not rounded in every product: up" in found


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_batch_that_is_mended_before_the_probes_is_refused(fault: str) -> None:
    changes, _ = FAULTS[fault]
    model = stand_in()
    for key, value in changes.items():
        setattr(model.down, key, value)

    def mend(model: Any) -> None:
        for key in changes:
            delattr(model.down, key)

    assert reasons(attest(model, during=mend)) == (
        "weights were not rounded in every product: down",
        "activations were not rounded in every product: down",
    )


def test_one_layer_left_plain_is_refused() -> None:
    model = stand_in()
    model.down.__class__ = nn.Linear
    assert reasons(attest(model)) == ("not quantized: down of 2 expected layers",)


def test_one_layer_computed_twice_is_refused() -> None:
    def twice(model: Any, x: Any) -> None:
        model(x)
        model.up(x)

    assert "more rows were multiplied than in the other layers: up" in reasons(attest(stand_in(), run=twice))


def test_weights_of_before_an_update_are_refused() -> None:
    class Stale(StandInLinear):
        def forward(self, input: Any) -> Any:
            return nn.functional.linear(input, self.weight * 1.1)

    model = stand_in()
    model.down.__class__ = Stale
    declared = Recipe("test", kernels=("StandInLinear", "Stale"))
    assert f"{WEIGHTS}: down" in reasons(attest(model, declared), declared)


def test_a_layer_that_changes_its_code_in_the_midst_is_refused() -> None:
    def change(model: Any) -> None:
        model.down.forward = lambda x: StandInLinear.forward(model.down, x)

    assert "quantized only after the evaluation began, or anew: down" in reasons(attest(stand_in(), during=change))


def test_a_compiled_graph_runs_no_hook_and_so_proves_nothing() -> None:
    torch._dynamo.reset()
    model = stand_in()
    compiled = torch.compile(model, backend="aot_eager")
    with torch.no_grad():
        compiled(INPUTS)
    assert f"not used during the evaluation: {BOTH}" in reasons(attest(model, run=lambda model, x: compiled(x)))


def test_hooks_that_a_graph_was_compiled_with_count_no_tracing() -> None:
    torch._dynamo.reset()
    model = stand_in()
    compiled = torch.compile(model, backend="aot_eager")
    assert f"not used during the evaluation: {BOTH}" in reasons(attest(model, run=lambda model, x: compiled(x)))


@pytest.mark.parametrize("tokens", [None, TOKENS + 1])
def test_without_every_token_accounted_for_products_past_the_hooks_can_not_be_excluded(tokens: int | None) -> None:
    found = reasons(attest(stand_in(), tokens=tokens))
    if tokens is None:
        assert found == ("how many tokens were computed isn't told, so products that no hook saw can't be excluded",)
    else:
        assert found == (f"fewer rows were multiplied than the {tokens} tokens computed: {BOTH}",)


def test_a_hook_of_others_behind_the_witness_is_refused() -> None:
    def hook(model: Any) -> None:
        model.up.register_forward_hook(lambda layer, words, output: output * 2)

    assert "forward hooks, which no compiled graph runs: up" in reasons(attest(stand_in(), during=hook))


def test_hooks_are_gone_after_the_close_and_no_number_changes() -> None:
    model = stand_in()
    with torch.no_grad():
        before = model(INPUTS)
        attest(model)
        assert torch.equal(model(INPUTS), before)
    assert not model.up._forward_hooks and not model.down._forward_hooks


def test_w4a16_and_bfloat16_are_told_from_w4a4() -> None:
    recipe = dataclasses.replace(DECLARED, quantize_activations=False, dtype="bfloat16")
    model = stand_in().bfloat16()
    for layer in (model.up, model.down):
        layer.activations = False

    def run(model: Any, x: Any) -> None:
        model(x.bfloat16())

    document = attest(model, recipe, run=run)
    assert [reason for reason in reasons(document, recipe) if "evaluated" not in reason] == []
    asked = dataclasses.replace(DECLARED, dtype="bfloat16")
    found = reasons(attest(model, asked, run=run), asked)
    assert f"activations were not rounded in every product: {BOTH}" in found


def test_laststep_never_puts_a_declared_kernel_in_itself() -> None:
    with pytest.raises(RecipeError, match="is computed by StandInLinear: laststep attests it only"):
        apply_recipe(Model(), DECLARED)
    assert Recipe.from_dict(DECLARED.to_dict()) == DECLARED
