"""Recipes in a model and out again: the same objects, the same keys; all layers or none."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant.errors import QuantError, RecipeError, WeightsError
from quant.formats.mxfp4 import quantize_dequantize
from quant.layers import (
    QuantizedLinear,
    apply_recipe,
    expected_linears,
    frozen_weights,
    quantized_linears,
    remove,
    same_bits,
)
from quant.recipe import Recipe
from quant.rounding import rounded
from tests.quant.tiny import TinyModel

pytestmark = pytest.mark.torch

RECIPE = Recipe("test")
INPUTS = torch.randn(6, 40, generator=torch.Generator().manual_seed(9))


@pytest.fixture
def model() -> Any:
    return TinyModel(seed=1)


def test_every_linear_but_the_excluded_is_quantized(model: Any) -> None:
    assert apply_recipe(model, RECIPE) == ("first", "block.up", "block.down")
    assert tuple(quantized_linears(model)) == tuple(expected_linears(model, RECIPE))
    assert type(model.lm_head) is nn.Linear


def test_state_dict_keys_parameters_and_modules_stay_the_same_objects(model: Any) -> None:
    before = {name: value.data_ptr() for name, value in model.state_dict().items()}
    modules, parameters = dict(model.named_modules()), dict(model.named_parameters())
    apply_recipe(model, RECIPE)
    assert {name: value.data_ptr() for name, value in model.state_dict().items()} == before
    assert all(module is modules[name] for name, module in model.named_modules())
    assert all(value is parameters[name] for name, value in model.named_parameters())


def test_the_model_computes_with_rounded_operands_and_after_removal_as_before(model: Any) -> None:
    with torch.no_grad():
        before = model(INPUTS)
        apply_recipe(model, RECIPE)
        layer = model.first
        wanted = nn.functional.linear(quantize_dequantize(INPUTS), quantize_dequantize(layer.weight), layer.bias)
        assert torch.equal(layer(INPUTS), wanted)
        assert not torch.equal(model(INPUTS), before)
        assert remove(model) == ("first", "block.up", "block.down")
        assert torch.equal(model(INPUTS), before)
    assert all(type(module) is nn.Linear for module in expected_linears(model, None).values())
    assert remove(model) == ()


def test_applied_again_the_new_recipe_holds_and_nothing_of_the_old(model: Any) -> None:
    apply_recipe(model, RECIPE)
    model(INPUTS)
    assert apply_recipe(model, Recipe("other", scale_rule="floor", exclude=("block",))) == ("first", "lm_head")
    assert type(model.block.up) is nn.Linear
    assert (model.first.operands.rule, model.first.operands.calls) == ("floor", 0)


def test_quantized_training_learns(model: Any) -> None:
    apply_recipe(model, RECIPE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(model(INPUTS), torch.arange(6))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_a_copy_counts_for_itself_and_computes_the_same(model: Any) -> None:
    apply_recipe(model, RECIPE)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        assert torch.equal(twin(INPUTS), model(INPUTS))
        twin(INPUTS)
    assert (twin.first.operands.calls, model.first.operands.calls) == (2, 1)


def test_weights_loaded_after_the_recipe_are_the_ones_multiplied(model: Any) -> None:
    apply_recipe(model, RECIPE)
    other = TinyModel(seed=2)
    model.load_state_dict(other.state_dict())
    apply_recipe(other, RECIPE)
    with torch.no_grad():
        assert torch.equal(model(INPUTS), other(INPUTS))
        model.first.weight.data.mul_(2)
        other.first.weight.data = other.first.weight.data * 2
        assert torch.equal(model(INPUTS), other(INPUTS))


def test_a_model_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(RecipeError, match="finds no linear layer"):
        apply_recipe(nn.ReLU(), RECIPE)


def test_a_linear_of_another_kind_is_refused_by_name_and_nothing_is_changed() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.MultiheadAttention(8, 2))
    with pytest.raises(RecipeError, match=r"1\.out_proj"):
        apply_recipe(model, RECIPE)
    assert quantized_linears(model) == {}


def refused(model: Any, kind: type[QuantError], recipe: Recipe = RECIPE) -> str:
    """The sentence; its cure is there, and nothing was changed."""
    with pytest.raises(kind) as caught:
        apply_recipe(model, recipe)
    assert caught.value.HELP_TEXT and quantized_linears(model) == {}
    return str(caught.value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_with_nan_or_infinity_are_refused_by_name(bad: float, model: Any) -> None:
    model.block.down.weight.data[3, 5] = bad
    assert "`block.down` holds NaN" in refused(model, WeightsError)


def test_a_head_tied_to_an_embedding_is_refused_unless_it_is_left_alone(model: Any) -> None:
    model.embedding = nn.Embedding(12, 48)
    model.lm_head.weight = model.embedding.weight
    assert "shares its weight with the embedding `embedding`" in refused(model, RecipeError, Recipe("a", exclude=()))
    assert "lm_head" not in apply_recipe(model, RECIPE)


def test_an_adapter_that_is_not_merged_is_refused_by_the_name_of_its_layer(model: Any) -> None:
    class Adapted(nn.Module):
        """As PEFT's `lora.Linear` is built."""

        def __init__(self, base: Any) -> None:
            super().__init__()
            self.base_layer = base
            self.lora_A = nn.ModuleDict({"default": nn.Linear(48, 4, bias=False)})
            self.lora_B = nn.ModuleDict({"default": nn.Linear(4, 64, bias=False)})

    model.block.up = Adapted(model.block.up)
    assert "`block.up` holds an adapter that is not merged" in refused(model, RecipeError)


def test_only_layers_that_include_names_are_quantized(model: Any) -> None:
    assert apply_recipe(model, Recipe("a", include=("block",))) == ("block.up", "block.down")


@pytest.mark.parametrize("fmt", ["mxfp4", "nvfp4"])
def test_the_recipes_format_is_the_one_multiplied(fmt: str, model: Any) -> None:
    apply_recipe(model, Recipe("a", format=fmt))
    layer = model.first
    wanted = nn.functional.linear(rounded(INPUTS, fmt, "even"), rounded(layer.weight, fmt, "even"), layer.bias)
    assert torch.equal(layer(INPUTS), wanted) and layer.operands.format == fmt


def test_weights_of_a_type_that_is_not_built_are_refused() -> None:
    with pytest.raises(RecipeError, match="float64"):
        apply_recipe(nn.Linear(8, 8).double(), RECIPE)


def test_the_layer_says_what_it_is(model: Any) -> None:
    apply_recipe(model, RECIPE)
    assert "mxfp4 W4A4, rule=even" in repr(model)


def test_frozen_weights_give_the_same_numbers_and_count_the_same(model: Any) -> None:
    apply_recipe(model, RECIPE)
    with torch.no_grad():
        wanted = model(INPUTS)
        with frozen_weights(model):
            assert torch.equal(model(INPUTS), wanted)
            assert torch.equal(model(INPUTS), wanted)
    assert [layer.operands.weight_calls for layer in quantized_linears(model).values()] == [3, 3, 3]
    assert all(layer.operands.held_weight is None for layer in quantized_linears(model).values())


def test_weights_that_change_while_frozen_are_told(model: Any) -> None:
    apply_recipe(model, RECIPE)
    with pytest.raises(WeightsError, match=r"block\.up changed while they were frozen"), frozen_weights(model):
        model.block.up.weight.data.mul_(1.5)
    assert all(layer.operands.held_weight is None for layer in quantized_linears(model).values())


def test_an_error_inside_frozen_weights_comes_out_as_it_is(model: Any) -> None:
    apply_recipe(model, RECIPE)
    with pytest.raises(KeyError), frozen_weights(model):
        model.first.weight.data.mul_(1.5)
        raise KeyError("own")
    assert model.first.operands.held_weight is None


def test_frozen_weights_may_be_nested(model: Any) -> None:
    apply_recipe(model, RECIPE)
    with frozen_weights(model):
        with frozen_weights(model):
            pass
        assert model.first.operands.held_weight is not None


def test_gradients_pass_through_frozen_weights(model: Any) -> None:
    apply_recipe(model, RECIPE)
    model(INPUTS).sum().backward()
    wanted = model.first.weight.grad.clone()
    model.zero_grad()
    with frozen_weights(model):
        model(INPUTS).sum().backward()
    assert torch.equal(model.first.weight.grad, wanted)


def test_same_bits_tells_zeros_apart_and_takes_nan_for_itself() -> None:
    nan = torch.tensor([float("nan"), 1.0])
    assert same_bits(nan, nan.clone())
    assert not same_bits(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not same_bits(torch.zeros(2), torch.zeros(3))
    assert not same_bits(torch.zeros(2), torch.zeros(2).half())


def test_only_apply_recipe_makes_quantized_layers(model: Any) -> None:
    apply_recipe(model, RECIPE)
    assert all(isinstance(layer, QuantizedLinear) for layer in expected_linears(model, RECIPE).values())
