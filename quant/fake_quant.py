"""A linear product of fake-quantized operands, with the straight-through gradient; eager and under `torch.compile`.

Covers the rounding and counting of the two operands, and the autograd function. Does not cover putting it into a model
(`quant.layers`).

What did not round did not count: the counters rise in the very branch that rounds. In eager mode they are plain
integers, which touch no tensor. In a compiled graph Python doesn't run, so there they are an int64 tensor that the
graph itself adds to. A counter read is the sum of both.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear

from quant import check_format
from quant.errors import WeightsError
from quant.fitness import is_sharded
from quant.formats import mxfp4, nvfp4
from quant.rounding import rounded, shared_scale

_CALLS, _WEIGHT_CALLS, _ACTIVATION_CALLS, _ACTIVATION_ROWS = range(4)


def _counter(index: int, description: str) -> property:
    """A counter of `Operands`: what eager mode and compiled graphs counted together."""

    def read(operands: Operands) -> int:
        return operands.eager_counts[index] + int(operands.compiled_counts[index])

    def write(operands: Operands, value: int) -> None:
        operands.eager_counts[index] = value - int(operands.compiled_counts[index])

    return property(read, write, doc=description)


class Operands:
    """How one layer's operands are rounded, and how often that was done since this object was made."""

    __slots__ = (
        "activations",
        "compiled_counts",
        "eager_counts",
        "format",
        "held_weight",
        "rounding",
        "rule",
        "sharing",
        "weights",
    )

    calls = _counter(_CALLS, "Products computed.")
    weight_calls = _counter(_WEIGHT_CALLS, "Products whose weight was rounded.")
    activation_calls = _counter(_ACTIVATION_CALLS, "Products whose activations were rounded.")
    activation_rows = _counter(_ACTIVATION_ROWS, "Rows of activations rounded.")

    def __init__(
        self,
        *,
        format: str = mxfp4.NAME,
        rule: str = "even",
        weights: bool = True,
        activations: bool = True,
        device: Any = None,
    ) -> None:
        check_format(format)
        (nvfp4 if format == nvfp4.NAME else mxfp4).check_rule(rule)
        self.format = format
        self.rule = rule
        self.rounding = (format, rule)
        """What is computed; `format` and `rule` are what is said of it."""
        self.weights = weights
        self.activations = activations
        self.eager_counts = [0, 0, 0, 0]
        self.compiled_counts = torch.zeros(4, dtype=torch.int64, device=device)
        self.sharing: tuple[Any, ...] = ()
        """Layers whose weights share one NVFP4 tensor scale, this one's among them; none: each has its own."""
        self.held_weight: Any = None
        """The rounded weight, while the weights are frozen (`quant.layers.frozen_weights`)."""

    def weight(self, weight: Any, tensor_scale: Any = None) -> Any:
        """The weight to multiply with, counted if it was rounded."""
        if not self.weights:
            return weight
        self._count(_WEIGHT_CALLS, 1)
        return self.weight_again(weight, tensor_scale)

    def tensor_scale(self) -> Any:
        """The scale that this weight shares with others, as they stand now; None where it has its own.

        Raises `WeightsError` where this process holds only parts of them.
        """
        if not self.sharing or not self.weights or self.held_weight is not None:
            return None
        weights = [layer.weight for layer in self.sharing]
        if any(is_sharded(weight) for weight in weights):
            raise WeightsError(
                "weights that share an NVFP4 scale are sharded apart", "wrap their module with `fully_shard` as one"
            )
        with torch.no_grad():
            return shared_scale(weights, self.format)

    def activation(self, x: Any) -> Any:
        """The activations to multiply with, counted if they were rounded."""
        if not self.activations:
            return x
        self._count(_ACTIVATION_CALLS, 1)
        self._count(_ACTIVATION_ROWS, x.numel() // x.shape[-1])
        return rounded(x, *self.rounding)

    def weight_again(self, weight: Any, tensor_scale: Any = None) -> Any:
        """As `weight`, for the backward pass: not counted. `tensor_scale`: that of the forward pass."""
        if self.held_weight is not None:
            return self.held_weight
        if not self.weights:
            return weight
        return rounded(weight, *self.rounding, self.tensor_scale() if tensor_scale is None else tensor_scale)

    def activation_again(self, x: Any) -> Any:
        """As `activation`, for the backward pass: not counted."""
        return rounded(x, *self.rounding) if self.activations else x

    def product(self, x: Any, weight: Any, bias: Any) -> Any:
        """`x @ weight.T + bias` of the rounded operands; differentiable where gradients are on."""
        self._count(_CALLS, 1)
        tensor_scale = self.tensor_scale()
        if torch.is_grad_enabled():
            return FakeQuantLinear.apply(x, weight, bias, tensor_scale, self)
        return linear(self.activation(x), self.weight(weight, tensor_scale), bias)

    def _count(self, counter: int, amount: int) -> None:
        if torch.compiler.is_compiling():
            self.compiled_counts[counter].add_(amount)
        else:
            self.eager_counts[counter] += amount


class FakeQuantLinear(torch.autograd.Function):
    """`apply(x, weight, bias, tensor_scale, operands)`: gradients at the rounded operands, straight through.

    It saves x and weight as they came, which autograd holds anyway, and rounds them again in the backward pass: the
    memory of an unquantized linear layer.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, tensor_scale: Any, operands: Operands) -> Any:
        ctx.save_for_backward(x, weight, tensor_scale)
        ctx.operands = operands
        return linear(operands.activation(x), operands.weight(weight, tensor_scale), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, Any, Any, None, None]:
        (gradient,) = gradients
        x, weight, tensor_scale = ctx.saved_tensors
        wants_x, wants_weight, wants_bias, *_ = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])
        x_gradient = weight_gradient = bias_gradient = None
        if wants_x:
            again = ctx.operands.weight_again(weight, tensor_scale)
            x_gradient = (gradient @ again.to(gradient.dtype)).to(x.dtype)
        if wants_weight:
            again = ctx.operands.activation_again(x).to(gradient.dtype)
            weight_gradient = (rows.t() @ again.reshape(-1, again.shape[-1])).to(weight.dtype)
        if wants_bias:
            bias_gradient = rows.sum(0).to(weight.dtype)
        return x_gradient, weight_gradient, bias_gradient, None, None
