"""Faults around the layers, and of engines that round at load: each refused with its reason. In plain torch."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant import attestation
from quant.formats import mxfp4
from quant.recipe import Recipe
from quant.verification import document_sha256, refusals
from tests.quant.attested import ALL_LAYERS, INPUTS, RECIPE, START, TRAINED, attest, reasons
from tests.quant.tiny import TinyModel

pytestmark = pytest.mark.torch


def half_blocks(x: Any) -> Any:
    """MXFP4 with a scale for each 16 elements."""
    padded = nn.functional.pad(x, (0, -x.shape[-1] % 16))
    rounded = mxfp4.quantize_dequantize(padded.unflatten(-1, (-1, 16))).flatten(-2)
    return rounded[..., : x.shape[-1]]


def test_blocks_of_another_size_are_refused_by_what_is_multiplied() -> None:
    def wrong(model: Any) -> None:
        up = model.block.up
        forward = up.forward
        counted = [lambda x: (forward(x), nn.functional.linear(half_blocks(x), half_blocks(up.weight)))[1]]
        up.forward = counted[0]

    assert reasons(attest(before=wrong)) == (
        "weights multiplied were off the grid: block.up",
        "weights multiplied were not the layer's own, rounded by the recipe: block.up",
        "activations were not rounded by the recipe's rule: block.up",
    )


def test_a_layer_computed_twice_for_each_answer_is_refused_where_only_one_operand_counts() -> None:
    def twice(model: Any) -> None:
        operands = model.block.up.operands
        activation = operands.activation
        model.block.up.forward = lambda x: operands.product(activation(x), model.block.up.weight, None)

    assert "activations were rounded more often than multiplied: block.up" in reasons(attest(before=twice))


def test_hooks_that_quantize_a_compiled_graph_after_the_fact_prove_nothing() -> None:
    torch._dynamo.reset()
    model = TinyModel(seed=1)
    run = torch.compile(model, backend="aot_eager")
    fired: list[int] = []

    def hook(module: Any, inputs: Any) -> Any:
        fired.append(1)
        return (mxfp4.quantize_dequantize(inputs[0]),)

    with torch.no_grad():
        run(INPUTS)
        for layer in (model.first, model.block.up, model.block.down):
            layer.register_forward_pre_hook(hook)
        opening = attestation.begin(model, RECIPE)
        run(INPUTS)
        assert not fired
        document = attestation.close(model, opening, checkpoint_fingerprint=TRAINED)
    assert reasons(document) == (f"not quantized: {ALL_LAYERS} of 3 expected layers",)


AT_LOAD = {
    "weight_rounding": "at load",
    "counters": "graph",
    "block_size": 32,
    "rows": 90,
    "resident": "r1",
    "resident_end": "r1",
}


def vllm_like(**changes: Any) -> dict[str, Any]:
    """An honest document as an engine that rounds at load makes it; `layer` changes one layer of it."""
    document = copy.deepcopy(attest())
    del document["sha256"]
    for layer in document["layers"].values():
        layer.update(AT_LOAD)
    document["layers"]["block.up"].update(changes.pop("layer", {}))
    document.update({"tokens": 90, "hooked": [], "resident_begin": "m1", "resident_end": "m1", **changes})
    return {**document, "sha256": document_sha256(document)}


def test_an_honest_document_of_an_engine_that_rounds_at_load_is_accepted() -> None:
    assert reasons(vllm_like()) == ()
    assert reasons(vllm_like(noise={"active": False})) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"noise": {"active": True}}, "noise was on during the evaluation"),
        ({"hooked": ["block.up"]}, "forward hooks, which no compiled graph runs: block.up"),
        ({"found": ["first", "block.up", "block.down", "block.up"]}, "found twice: block.up"),
        ({"tokens": 91}, f"fewer rows were multiplied than the 91 tokens computed: {ALL_LAYERS}"),
        ({"resident_end": "m2"}, "the rounded weights changed during the evaluation"),
        ({"layer": {"rows": 180}}, "more rows were multiplied than in the other layers: block.up"),
        ({"layer": {"resident_end": "r2"}}, "weights were not those that were rounded at the sync: block.up"),
        ({"layer": {"block_size": 16}}, "blocks were of 16: block.up"),
        ({"layer": {"counters": "none"}}, "its kernel counts nothing in the graph, so its use isn't shown: block.up"),
        ({"layer": {"activation_calls": 6}}, "activations were rounded more often than multiplied: block.up"),
        ({"layer": {"weight_calls": 6}}, "weights were rounded more often than multiplied: block.up"),
        ({"layer": {"weight_calls": 0}}, "weights were not rounded in every product: block.up"),
        ({"layer": {"weights_on_grid": False}}, "weights multiplied were off the grid: block.up"),
        ({"layer": {"format": None}}, "format was None: block.up"),
    ],
)
def test_each_fault_has_its_own_reason(changes: dict[str, Any], reason: str) -> None:
    assert reasons(vllm_like(**changes)) == (reason,)


def test_noise_on_an_unquantized_evaluation_is_refused_too() -> None:
    document = {**attest(recipe=None), "noise": {"active": True}}
    document["sha256"] = document_sha256(document)
    asked = {"checkpoint_fingerprint": TRAINED, "start_fingerprint": START}
    assert refusals(document, recipe=None, **asked) == ("noise was on during the evaluation",)


def test_a_recipe_of_another_block_size_is_not_the_one_asked_for() -> None:
    document = vllm_like()
    asked = {**Recipe("test").to_dict(), "block_size": 16}
    found = refusals(document, recipe=asked, checkpoint_fingerprint=TRAINED, start_fingerprint=START)
    assert "block_size was `32`, asked for was `16`" in found
