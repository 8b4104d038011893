"""Products of other libraries' linear layers, counted and recomputed as they happen: forward hooks, eager mode only.

Where a kernel counts nothing in the graph, a hook outside it sees each call: how many rows came in, and whether what
came out is the product of operands rounded as the recipe says, in a few rows and columns. A compiled graph runs no
hook, so it counts nothing here and proves nothing. Covers no judgement (`quant.verification`). Imports no vLLM.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from quant.formats import nvfp4
from quant.probe import Arithmetic, is_product
from quant.rounding import BLOCK_SIZES, rounded

WITNESSED_ROWS = 3
"""Of each call: the first, the middle and the last."""

WITNESSED_COLUMNS = 64
"""Of each output, spread over all of it, so that a witness costs little beside the product."""


class Witness:
    """What hooks saw of one layer since this object was made; `remove` ends it."""

    def __init__(self, layer: Any, said: Arithmetic, weight: Any, bias: Any = None) -> None:
        """`weight`: (out, in), the operand that the layer is said to multiply with; `bias` is added to the product."""
        self.layer = layer
        self.calls = 0
        self.rows = 0
        self.agreed = 0
        """Calls whose output was the product of the operands said."""
        self._said = said
        places = torch.linspace(0, weight.shape[0] - 1, min(WITNESSED_COLUMNS, weight.shape[0]), dtype=torch.float64)
        self._columns = places.round().long().to(weight.device)
        self._weight = weight.detach()[self._columns].clone()
        self._bias = None if bias is None else bias.detach()[self._columns].clone()
        self._forward = _own_forward(layer), type(layer)
        self._handle = layer.register_forward_hook(self._see, with_kwargs=True)

    def remove(self) -> None:
        """The layer is without the hook again."""
        self._handle.remove()

    @property
    def same(self) -> bool:
        """Whether the layer still computes by the code that it had at the beginning."""
        return self._forward == (_own_forward(self.layer), type(self.layer))

    @property
    def hooked(self) -> bool:
        """Whether others' hooks sit on the layer: one that runs after this one changes what nobody witnesses."""
        others = set(self.layer._forward_hooks) - {self._handle.id}
        return bool(others or self.layer._forward_pre_hooks)

    def entry(self, kernel: str) -> dict[str, Any]:
        """What it adds to a layer's entry in an attestation.

        Format and rule are the recipe's, since no layer of others says them: the products bear them out or don't.
        """
        said = self._said
        return {
            "format": said.fmt,
            "rule": said.rule,
            "block_size": BLOCK_SIZES[said.fmt],
            "kernel": kernel,
            "counters": "hooks",
            "same_since_begin": self.same,
            "calls": self.calls,
            "rows": self.rows,
            "weight_calls": self.agreed if said.weights else 0,
            "activation_calls": self.agreed if said.activations else 0,
            "activation_rows": self.rows if said.activations else 0,
        }

    def _see(self, layer: Any, words: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        if torch.compiler.is_compiling():
            return  # A graph is traced, nothing is computed.
        x = words[0] if words else next(iter(named.values()))
        answer = output[0] if isinstance(output, tuple) else output
        with torch.no_grad():
            inputs, answers = x.reshape(-1, x.shape[-1]), answer.reshape(-1, answer.shape[-1])
            self.calls += 1
            self.rows += len(inputs)
            self.agreed += self._agrees(inputs, answers)

    def _agrees(self, inputs: Any, answers: Any) -> bool:
        if not len(inputs) or len(answers) != len(inputs):
            return len(answers) == len(inputs)
        scale = nvfp4.scale_of(inputs) if self._said.fmt == nvfp4.NAME else None
        places = sorted({0, len(inputs) // 2, len(inputs) - 1})
        operand = inputs[places]
        if self._said.activations:
            operand = rounded(operand, self._said.fmt, self._said.rule, scale)
        return is_product(answers[places][:, self._columns], operand, self._weight, self._bias)


def kernel_of(layer: Any) -> str:
    """Whose code computes an `nn.Linear`'s product, and its class: `torch/Linear`, `compressed_tensors/Linear`."""
    own = _own_forward(layer)
    function = getattr(own, "__func__", own) or type(layer).forward
    package = str(getattr(function, "__globals__", {}).get("__name__", "unknown")).partition(".")[0]
    return f"{package}/{type(layer).__name__}"


def is_declared(kernel: str, declared: Collection[str]) -> bool:
    """Whether one of the names between the kernel's slashes is declared."""
    return any(name in declared for name in kernel.split("/"))


def witnesses(layers: dict[str, Any], said: Arithmetic, declared: Collection[str]) -> dict[str, Witness]:
    """One for each `nn.Linear` that a declared kernel computes and whose own weight can be read, by name."""
    return {
        name: Witness(layer, said, said.rounded(layer.weight) if said.weights else layer.weight, layer.bias)
        for name, layer in layers.items()
        if is_declared(kernel_of(layer), declared) and _has_weight(layer)
    }


def _has_weight(layer: Any) -> bool:
    weight = getattr(layer, "weight", None)
    shape = (getattr(layer, "out_features", None), getattr(layer, "in_features", None))
    return isinstance(weight, torch.Tensor) and tuple(weight.shape) == shape and weight.is_floating_point()


def _own_forward(layer: nn.Module) -> Any:
    """A `forward` that was put over the class's; None where there is none."""
    return vars(layer).get("forward")
