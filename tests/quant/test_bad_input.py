"""Bad input at every door that takes it: one sentence with a cure, before any work; what is taken is taken whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant import fake_quantize
from quant.checkpoint import check_whole, read_weights
from quant.errors import FormatError, RecipeError, WeightsError
from quant.fingerprint import sums
from quant.layers import apply_recipe
from quant.recipe import Recipe
from quant.rounding import rounded
from tests.quant.sharded_checkpoint import save_shards

pytestmark = pytest.mark.torch

FORMATS = ("mxfp4", "nvfp4")
NOT_BUILT = (torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool, torch.float64, torch.complex64)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("dtype", NOT_BUILT)
def test_integers_and_other_types_are_refused_by_every_format(fmt: str, dtype: Any) -> None:
    x = torch.zeros(2, 32, dtype=dtype)
    before = x.clone()
    with pytest.raises(FormatError, match=str(dtype).removeprefix("torch.")) as caught:
        fake_quantize(x, fmt, out=x)
    assert caught.value.HELP_TEXT and torch.equal(x, before)


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_layer_whose_width_is_no_multiple_of_the_block_multiplies_with_a_shorter_last_block(fmt: str) -> None:
    layer = nn.Sequential(nn.Linear(37, 5, bias=False))
    x = torch.randn(3, 37)
    wanted = nn.functional.linear(rounded(x, fmt, "even"), rounded(layer[0].weight, fmt, "even"))
    apply_recipe(layer, Recipe("test", format=fmt))
    assert torch.equal(layer(x), wanted)


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_layer_takes_strided_inputs_and_weights_and_inputs_without_rows(fmt: str) -> None:
    model = nn.Sequential(nn.Linear(64, 8, bias=False))
    model[0].weight = nn.Parameter(torch.randn(64, 8).t())
    x = torch.randn(64, 6).t()
    apply_recipe(model, Recipe("test", format=fmt))
    assert not x.is_contiguous() and not model[0].weight.is_contiguous()
    assert torch.equal(model(x), model(x.contiguous()))
    assert model(torch.zeros(0, 64)).shape == (0, 8)


def test_weights_of_integers_are_refused_by_the_layers_name() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    model[0].weight = nn.Parameter(torch.zeros(8, 8, dtype=torch.int8), requires_grad=False)
    with pytest.raises(RecipeError, match=r"layer `0` holds torch.int8"):
        apply_recipe(model, Recipe("test"))


def test_an_empty_layer_is_quantized_and_computes_nothing() -> None:
    model = nn.Sequential(nn.Linear(32, 0))
    apply_recipe(model, Recipe("test"))
    assert model(torch.zeros(2, 32)).shape == (2, 0)


def test_an_empty_tensor_of_a_checkpoint_counts_by_its_name() -> None:
    assert sums("a", torch.zeros(0)) != sums("b", torch.zeros(0))


def test_shards_that_lack_a_tensor_of_the_model_or_have_another_are_refused(tmp_path: Path) -> None:
    save_shards(tmp_path / "actor", {"a.weight": torch.zeros(4, 4), "b.weight": torch.zeros(3)})
    found = {name: tuple(value.shape) for name, value in read_weights(tmp_path).items()}
    with pytest.raises(WeightsError, match=r"lacks c.weight"):
        check_whole(found, {**found, "c.weight": (2,)})
    with pytest.raises(WeightsError, match=r"tensors the model hasn't: b.weight"):
        check_whole(found, {"a.weight": (4, 4)})
