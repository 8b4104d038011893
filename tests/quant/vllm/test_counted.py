"""Counters that live in the graph: they rise where the graph runs, compiled or not, and only there. Needs no vLLM."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant.formats import mxfp4, nvfp4
from quant.layers import same_bits
from quant.vllm.counted import COUNTERS, count_product, new_counters, round_activations

pytestmark = pytest.mark.torch


class Counted(nn.Module):
    """A layer as vLLM's method computes it."""

    def __init__(self, activations: bool = True) -> None:
        super().__init__()
        self.activations = activations
        self.register_buffer("weight", torch.randn(8, 64, generator=torch.Generator().manual_seed(1)))
        self.register_buffer("counters", new_counters())

    def forward(self, x: Any) -> Any:
        if self.activations:
            x = round_activations(x, self.counters, mxfp4.NAME, "even")
        else:
            count_product(x, self.counters)
        return nn.functional.linear(x, self.weight)

    def counts(self) -> dict[str, int]:
        return dict(zip(COUNTERS, self.counters.tolist()))


INPUTS = torch.randn(5, 64, generator=torch.Generator().manual_seed(2))


def compiled(layer: nn.Module) -> Any:
    """One graph, without a C++ compiler."""
    torch._dynamo.reset()
    return torch.compile(layer, backend="aot_eager", fullgraph=True)


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_calls_and_rows_are_counted_and_the_product_is_of_rounded_activations(mode: str) -> None:
    layer = Counted()
    run = compiled(layer) if mode == "compiled" else layer
    for _ in range(3):
        found = run(INPUTS)
    assert torch.equal(found, nn.functional.linear(mxfp4.quantize_dequantize(INPUTS), layer.weight))
    assert layer.counts() == {"calls": 3, "rows": 15, "activation_calls": 3, "activation_rows": 15}


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_kept_activations_count_products_but_no_rounding(mode: str) -> None:
    layer = Counted(activations=False)
    run = compiled(layer) if mode == "compiled" else layer
    assert torch.equal(run(INPUTS), nn.functional.linear(INPUTS, layer.weight))
    assert layer.counts() == {"calls": 1, "rows": 5, "activation_calls": 0, "activation_rows": 0}


def test_a_hook_registered_after_compiling_never_runs_while_the_graph_counts() -> None:
    layer = nn.Sequential(Counted())
    run = compiled(layer)
    run(INPUTS)
    fired: list[int] = []
    layer[0].register_forward_pre_hook(lambda module, inputs: fired.append(1))
    run(INPUTS)
    assert not fired and layer[0].counts()["calls"] == 2


def test_nvfp4_is_rounded_by_the_formats_own_function() -> None:
    counters = new_counters()
    found = round_activations(INPUTS.bfloat16(), counters, nvfp4.NAME, "even")
    assert same_bits(found, nvfp4.quantize_dequantize(INPUTS.bfloat16())) and counters.tolist() == [1, 5, 1, 5]


def test_the_operations_pass_torchs_own_checks() -> None:
    arguments = (INPUTS, new_counters(), mxfp4.NAME, "even")
    torch.library.opcheck(torch.ops.laststep.round_activations, arguments)
    torch.library.opcheck(torch.ops.laststep.count_product, (INPUTS, new_counters()))
