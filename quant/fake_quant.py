"""A linear product of fake-quantized operands, with the straight-through gradient.

Covers the rounding and counting of the two operands, and the autograd function. Does not cover putting it into a model
(`quant.layers`). The counters are plain integers, raised in the very branch that rounds: they touch no tensor, so they
change no number, and what did not round did not count. Eager mode only: inside a compiled graph Python doesn't run.
"""

from __future__ import annotations

from typing import Any

import torch

from quant.formats.mxfp4 import RULE_ADDENDS, check_rule, round_last_dim


class Operands:
    """How one layer's operands are rounded, and how often that was done."""

    __slots__ = (
        "activation_calls",
        "activation_rows",
        "activations",
        "addend",
        "calls",
        "held_weight",
        "rule",
        "weight_calls",
        "weights",
    )

    def __init__(self, *, rule: str = "even", weights: bool = True, activations: bool = True) -> None:
        check_rule(rule)
        self.rule = rule
        self.addend = RULE_ADDENDS[rule]
        self.weights = weights
        self.activations = activations
        self.calls = 0
        """Products computed."""
        self.weight_calls = 0
        """Products whose weight was rounded."""
        self.activation_calls = 0
        """Products whose activations were rounded."""
        self.activation_rows = 0
        """Rows of activations rounded."""
        self.held_weight: Any = None
        """The rounded weight, while the weights are frozen (`quant.layers.frozen_weights`)."""

    def weight(self, weight: Any) -> Any:
        """The weight to multiply with, counted if it was rounded."""
        if not self.weights:
            return weight
        self.weight_calls += 1
        return self.weight_again(weight)

    def activation(self, x: Any) -> Any:
        """The activations to multiply with, counted if they were rounded."""
        if not self.activations:
            return x
        self.activation_calls += 1
        self.activation_rows += x.numel() // x.shape[-1]
        return round_last_dim(x, self.addend)

    def weight_again(self, weight: Any) -> Any:
        """As `weight`, for the backward pass: not counted."""
        if self.held_weight is not None:
            return self.held_weight
        return round_last_dim(weight, self.addend) if self.weights else weight

    def activation_again(self, x: Any) -> Any:
        """As `activation`, for the backward pass: not counted."""
        return round_last_dim(x, self.addend) if self.activations else x

    def product(self, x: Any, weight: Any, bias: Any) -> Any:
        """`x @ weight.T + bias` of the rounded operands; differentiable where gradients are on."""
        self.calls += 1
        if torch.is_grad_enabled():
            return FakeQuantLinear.apply(x, weight, bias, self)
        return torch.nn.functional.linear(self.activation(x), self.weight(weight), bias)


class FakeQuantLinear(torch.autograd.Function):
    """`apply(x, weight, bias, operands)`: gradients as if the rounding were the identity, at the rounded operands.

    It saves x and weight as they came, which autograd holds anyway, and rounds them again in the backward pass: the
    memory of an unquantized linear layer.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, operands: Operands) -> Any:
        ctx.save_for_backward(x, weight)
        ctx.operands = operands
        return torch.nn.functional.linear(operands.activation(x), operands.weight(weight), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, Any, Any, None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias, _ = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])
        x_gradient = weight_gradient = bias_gradient = None
        if wants_x:
            x_gradient = (gradient @ ctx.operands.weight_again(weight).to(gradient.dtype)).to(x.dtype)
        if wants_weight:
            rounded = ctx.operands.activation_again(x).to(gradient.dtype)
            weight_gradient = (rows.t() @ rounded.reshape(-1, rounded.shape[-1])).to(weight.dtype)
        if wants_bias:
            bias_gradient = rows.sum(0).to(weight.dtype)
        return x_gradient, weight_gradient, bias_gradient, None
