"""Bytes that autograd holds for the backward pass of a quantized model, against the same model unquantized in BF16.

`python -m benchmarks.quant_memory`: a Llama-shaped stack of blocks (RMSNorm, q, k, v, o, gate, up, down) in bfloat16,
each storage counted once, parameters left out; by format and by which operands are rounded.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import nn

from quant import FORMATS
from quant.layers import apply_recipe, remove
from quant.recipe import Recipe

WIDTH, INNER, LAYERS, ROWS = 512, 1408, 4, 256


class Block(nn.Module):
    """A decoder block's linear layers, in its order and shapes; attention is cut to a product."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.RMSNorm(WIDTH) for _ in range(2))
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(WIDTH, INNER, bias=False) for _ in range(2))
        self.down = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x: Any) -> Any:
        h = self.norms[0](x)
        x = x + self.o(self.q(h) * self.k(h) + self.v(h))
        h = self.norms[1](x)
        return x + self.down(nn.functional.silu(self.gate(h)) * self.up(h))


def saved_bytes(model: Any, x: Any) -> int:
    """What one forward pass leaves for the backward pass, without the parameters."""
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    storages: dict[int, int] = {}
    kept = []

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            storages[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(x).float().square().mean()
    return sum(storages.values())


def main() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(*[Block() for _ in range(LAYERS)]).bfloat16()
    x = torch.randn(ROWS, WIDTH).bfloat16().requires_grad_()
    unquantized = saved_bytes(model, x)
    for fmt in FORMATS:
        for weights, activations in ((True, True), (True, False), (False, True)):
            recipe = Recipe("memory", format=fmt, quantize_weights=weights, quantize_activations=activations)
            apply_recipe(model, recipe)
            found = saved_bytes(model, x)
            remove(model)
            line = {"format": fmt, "recipe": recipe.label, "saved_bytes": found, "bf16_bytes": unquantized}
            print(json.dumps({**line, "ratio": round(found / unquantized, 4)}), flush=True)


if __name__ == "__main__":
    main()
