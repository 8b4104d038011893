"""NVFP4's tensor scale shared by a trainer's layers: the weights are bit for bit those of vLLM's fused layers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant import attestation
from quant.errors import RecipeError
from quant.fingerprint import fingerprint
from quant.formats import nvfp4
from quant.layers import apply_recipe, frozen_weights, quantized_linears, remove, same_bits
from quant.probe import read_weight
from quant.recipe import Recipe
from quant.verification import refusals
from quant.vllm.layer_record import LayerRecord, cut

pytestmark = pytest.mark.torch

GROUPS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
SHARED = Recipe("test", format="nvfp4", shared_scales=GROUPS)
ALONE = Recipe("test", format="nvfp4")
INPUTS = torch.randn(5, 48, generator=torch.Generator().manual_seed(3))


class Block(nn.Module):
    """What engines fuse, each layer of another magnitude, and one that stands alone."""

    def __init__(self) -> None:
        super().__init__()
        for place, name in enumerate(name for group in GROUPS for name in group):
            layer = nn.Linear(48, 32 if name in GROUPS[1] else 16, bias=False)
            layer.weight.data *= 3.0**place
            setattr(self, name, layer)
        self.down_proj = nn.Linear(32, 48, bias=False)

    def forward(self, x: Any) -> Any:
        attended = (self.q_proj(x) + self.k_proj(x) + self.v_proj(x)).repeat(1, 3)
        return attended + self.down_proj(torch.relu(self.gate_proj(x)) * self.up_proj(x) / 300)


@pytest.fixture
def model() -> Any:
    """Two blocks, so that groups of two modules have the same names."""
    torch.manual_seed(5)
    made = nn.ModuleList([Block(), Block()])
    made[1].load_state_dict({name: value * 1.7 for name, value in made[0].state_dict().items()})
    return made


def run(model: Any, x: Any = INPUTS) -> Any:
    """Both blocks."""
    return model[1](model[0](x) / 100)


def fused(block: Any, names: tuple[str, ...], dtype: Any = torch.float32) -> dict[str, Any]:
    """What the plugin inside vLLM makes of these layers, by its own record: loaded in turn, then rounded."""
    weights = [getattr(block, name).weight.detach().to(dtype) for name in names]
    sizes = [len(weight) for weight in weights]
    record = LayerRecord(ALONE, cut(names, sizes))
    whole = torch.zeros(sum(sizes), weights[0].shape[1], dtype=dtype)
    loader = record.watch(lambda param, loaded, shard: record.parts[shard].of(param).copy_(loaded))
    for shard, weight in enumerate(weights):
        loader(whole, weight, shard)
    record.settle(whole)
    return {part.name: part.of(whole) for part in record.parts}


def operand(layer: Any) -> Any:
    """The weight that a product of this layer takes, with the signs of its zeros, which no product tells."""
    return layer.operands.weight(layer.weight).detach()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_multiplied_are_bit_for_bit_those_of_vllms_fused_layers(model: Any, dtype: Any) -> None:
    model = model.to(dtype)
    apply_recipe(model, SHARED)
    for block in model:
        for names in (*GROUPS, ("down_proj",)):
            for name, wanted in fused(block, names, dtype).items():
                assert same_bits(operand(getattr(block, name)), wanted), name
                assert torch.equal(read_weight(getattr(block, name)), wanted), name
    apart = fused(model[0], ("q_proj",), dtype)["q_proj"]
    assert not same_bits(operand(model[0].q_proj), apart)


def test_the_scale_follows_the_weights_as_they_are_trained(model: Any) -> None:
    apply_recipe(model, SHARED)
    before = operand(model[0].q_proj)
    with torch.no_grad():
        model[0].v_proj.weight[0, 0] = 1000.0
    after = operand(model[0].q_proj)
    assert same_bits(after, fused(model[0], GROUPS[0])["q_proj"]) and not same_bits(after, before)


def test_gradients_are_autograds_at_the_weights_rounded_together(model: Any) -> None:
    apply_recipe(model, SHARED)
    block = model[0]
    x = INPUTS.clone().requires_grad_()
    block.q_proj(x).square().sum().backward()
    weight = fused(block, GROUPS[0])["q_proj"].clone().requires_grad_()
    point = nvfp4.quantize_dequantize(INPUTS).requires_grad_()
    nn.functional.linear(point, weight).square().sum().backward()
    assert same_bits(x.grad, point.grad) and same_bits(block.q_proj.weight.grad, weight.grad)
    assert block.k_proj.weight.grad is None


def test_compiled_frozen_copied_and_eager_give_the_same_numbers(model: Any) -> None:
    apply_recipe(model, SHARED)
    wanted = run(model).detach()
    with frozen_weights(model), torch.no_grad():
        assert same_bits(run(model), wanted)
    assert same_bits(run(copy.deepcopy(model)).detach(), wanted)
    torch._dynamo.reset()
    compiled = torch.compile(run, backend="aot_eager", fullgraph=True)
    found = compiled(model, INPUTS)
    assert torch.allclose(found.detach(), wanted, rtol=1e-6)
    found.sum().backward()
    assert model[0].q_proj.weight.grad is not None
    remove(model)
    assert not quantized_linears(model)


def attested(model: Any, recipe: Recipe) -> tuple[str, ...]:
    """The verdict on an evaluation of whatever is in the model, asked for by this recipe."""
    opening = attestation.begin(model, recipe)
    with torch.no_grad():
        run(model)
    own = fingerprint(model.state_dict())
    document = attestation.close(model, opening, checkpoint_fingerprint=own)
    return refusals(document, recipe=recipe.to_dict(), checkpoint_fingerprint=own, start_fingerprint=None)


def test_shared_scales_prove_themselves_and_scales_of_their_own_do_not(model: Any) -> None:
    apply_recipe(model, SHARED)
    assert attested(model, SHARED) == ()
    apply_recipe(model, ALONE)
    assert attested(model, ALONE) == ()
    found = attested(model, SHARED)
    assert len(found) == 1 and "not the layer's own, rounded by the recipe: 0.q_proj, " in found[0]
    asked = {"checkpoint_fingerprint": None, "start_fingerprint": None}
    document = attestation.close(model, attestation.begin(model, ALONE))
    assert "scales were shared among [], asked for was" in "\n".join(
        refusals(document, recipe=SHARED.to_dict(), **asked)
    )


def test_a_layer_left_alone_that_would_share_its_scale_is_refused_and_nothing_is_changed(model: Any) -> None:
    partial = Recipe("test", format="nvfp4", exclude=("k_proj",), shared_scales=GROUPS)
    with pytest.raises(RecipeError, match=r"leaves 0.k_proj alone, which shares its scale with 0.q_proj"):
        apply_recipe(model, partial)
    assert not quantized_linears(model)


def test_a_format_without_a_tensor_scale_and_groups_that_are_none_are_refused() -> None:
    with pytest.raises(RecipeError, match="mxfp4 has no tensor scale to share"):
        Recipe("test", shared_scales=GROUPS)
    for wrong in ("q_proj", ["q_proj"], [[1]]):
        with pytest.raises(RecipeError, match="is not a list of"):
            Recipe.from_dict({"name": "test", "format": "nvfp4", "shared_scales": wrong})
    assert Recipe.from_dict(SHARED.to_dict()) == SHARED
