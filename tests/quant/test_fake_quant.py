"""The straight-through product: its numbers, its gradients, its memory, and counters that change none of them."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch.nn.functional import linear

from quant.errors import FormatError
from quant.fake_quant import Operands
from quant.formats.mxfp4 import quantize_dequantize
from quant.layers import apply_recipe
from quant.recipe import Recipe
from quant.rounding import rounded

pytestmark = pytest.mark.torch

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


class StraightThrough(torch.autograd.Function):
    """Rounding whose gradient is the identity, the plainest way."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return quantize_dequantize(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0]


def tensors(dtype: Any, shape: tuple[int, ...] = (5, 3, 70)) -> tuple[Any, Any, Any]:
    """x, weight and bias that want gradients; the last block of x and weight is ragged."""
    generator = torch.Generator().manual_seed(1)
    made = [torch.randn(size, generator=generator).to(dtype) for size in (shape, (24, shape[-1]), (24,))]
    return made[0].requires_grad_(), made[1].requires_grad_(), made[2].requires_grad_()


def gradients_of(product: Any, leaves: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of a loss that tells every element apart."""
    weights = torch.linspace(-1, 1, product.numel()).reshape(product.shape)
    return torch.autograd.grad((product.float() * weights).sum(), leaves)


@pytest.mark.parametrize("fmt", ["mxfp4", "nvfp4"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 3, 70), (4, 64), (32,)])
@pytest.mark.parametrize(("weights", "activations"), [(True, True), (True, False), (False, True)])
def test_product_and_gradients_are_autograds_at_the_rounded_point_bit_for_bit(
    weights: bool, activations: bool, shape: tuple[int, ...], dtype: Any, fmt: str
) -> None:
    leaves = tensors(dtype, shape)
    x, weight, bias = leaves
    point = (
        (rounded(x, fmt, "even") if activations else x.detach()).requires_grad_(),
        (rounded(weight, fmt, "even") if weights else weight.detach()).requires_grad_(),
        bias,
    )
    wanted = linear(*point)
    found = Operands(format=fmt, weights=weights, activations=activations).product(x, weight, bias)
    assert torch.equal(found, wanted)
    for one, other in zip(gradients_of(found, leaves), gradients_of(wanted, point)):
        assert one.dtype == other.dtype and torch.equal(one, other)


@pytest.mark.parametrize(("weights", "activations"), [(True, False), (False, True)])
def test_one_operand_alone_is_rounded_where_the_other_is_kept(weights: bool, activations: bool) -> None:
    x, weight, bias = leaves = tensors(torch.float32)
    operands = Operands(weights=weights, activations=activations)
    wanted = linear(
        StraightThrough.apply(x) if activations else x, StraightThrough.apply(weight) if weights else weight, bias
    )
    found = operands.product(x, weight, bias)
    assert torch.equal(found, wanted)
    for one, other in zip(gradients_of(found, leaves), gradients_of(wanted, leaves)):
        assert torch.equal(one, other)
    assert (operands.weight_calls, operands.activation_calls) == (int(weights), int(activations))


def test_the_rule_is_the_one_asked_for() -> None:
    x, weight, _ = tensors(torch.float32)
    with torch.no_grad():
        for rule in ("floor", "even", "rceil", "ceil"):
            wanted = linear(quantize_dequantize(x, rule=rule), quantize_dequantize(weight, rule=rule))
            assert torch.equal(Operands(rule=rule).product(x, weight, None), wanted)


def test_gradients_on_and_off_give_the_same_numbers() -> None:
    x, weight, bias = tensors(torch.float32)
    with torch.no_grad():
        without = Operands().product(x, weight, bias)
    assert torch.equal(Operands().product(x, weight, bias), without)


def saved_bytes(model: Any, x: Any) -> int:
    """What autograd holds for the backward pass, each storage once."""
    storages: dict[int, int] = {}

    def pack(tensor: Any) -> Any:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(x)
    return sum(storages.values())


@pytest.mark.parametrize("fmt", ["mxfp4", "nvfp4"])
def test_training_holds_no_byte_more_than_unquantized_bfloat16(fmt: str) -> None:
    layers = [torch.nn.Linear(128, 128) for _ in range(3)]
    model = torch.nn.Sequential(layers[0], torch.nn.GELU(), layers[1], torch.nn.GELU(), layers[2]).bfloat16()
    x = torch.randn(64, 128).bfloat16().requires_grad_()
    unquantized = saved_bytes(model, x)
    apply_recipe(model, Recipe("test", format=fmt))
    assert 0 < saved_bytes(model, x) <= unquantized


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True)])
def test_gradients_that_nobody_wants_are_not_made(wanted: tuple[bool, ...]) -> None:
    leaves = [tensor.detach().requires_grad_(wants) for tensor, wants in zip(tensors(torch.float32), wanted)]
    Operands().product(*leaves).sum().backward()
    assert [leaf.grad is not None for leaf in leaves] == list(wanted)


def test_without_a_bias_there_is_none_in_the_gradient() -> None:
    x, weight, _ = tensors(torch.float32)
    Operands().product(x, weight, None).sum().backward()
    assert x.grad.shape == x.shape and weight.grad.shape == weight.shape


def test_under_autocast_gradients_come_back_in_their_own_types() -> None:
    x, weight, bias = tensors(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = Operands().product(x, weight, bias)
    product.float().sum().backward()
    assert product.dtype == torch.bfloat16
    assert (x.grad.dtype, weight.grad.dtype, bias.grad.dtype) == (torch.float32,) * 3


def test_counters_rise_by_products_and_rows_and_the_backward_pass_counts_nothing() -> None:
    x, weight, bias = tensors(torch.float32)
    operands = Operands()
    operands.product(x, weight, bias).sum().backward()
    with torch.no_grad():
        operands.product(x[0], weight, bias)
    found = (operands.calls, operands.weight_calls, operands.activation_calls, operands.activation_rows)
    assert found == (2, 2, 2, 15 + 3)


def test_no_rows_are_no_error() -> None:
    x, weight, bias = tensors(torch.float32)
    operands = Operands()
    assert operands.product(x[:0], weight, bias).shape == (0, 3, 24)
    assert operands.activation_rows == 0


@pytest.mark.parametrize(("fmt", "rule"), [("mxfp4", "odd"), ("nvfp4", "floor"), ("mxfp6", "even")])
def test_an_unknown_format_or_rule_is_refused(fmt: str, rule: str) -> None:
    with pytest.raises(FormatError):
        Operands(format=fmt, rule=rule)
