"""Quantized layers under `torch.compile`: eager mode's numbers, one graph, counters inside it. Needs a C++ compiler."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch._dynamo.testing import CompileCounterWithBackend

from quant.layers import apply_recipe
from quant.recipe import Recipe
from tests.quant.tiny import TinyModel

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not shutil.which("g++") and not shutil.which("clang++"), reason="torch.compile needs one"),
]

INPUTS = torch.randn(6, 40, generator=torch.Generator().manual_seed(9))


def trained(model: Any, call: Any) -> list[Any]:
    """Outputs and gradients of one step."""
    output = call(INPUTS)
    output.square().sum().backward()
    return [output.detach(), *(parameter.grad for parameter in model.parameters())]


@pytest.mark.parametrize(("fmt", "backend_name"), [("mxfp4", "inductor"), ("nvfp4", "aot_eager")])
def test_a_compiled_step_gives_eager_modes_numbers_and_counts_inside_the_graph(fmt: str, backend_name: str) -> None:
    models = [TinyModel(seed=1), TinyModel(seed=1)]
    for model in models:
        apply_recipe(model, Recipe("test", format=fmt))
    backend = CompileCounterWithBackend(backend_name)
    compiled = torch.compile(models[1], backend=backend, fullgraph=True)
    for found, wanted in zip(trained(models[1], compiled), trained(models[0], models[0])):
        torch.testing.assert_close(found, wanted)
    for _ in range(3):
        compiled(INPUTS)
    operands = models[1].block.up.operands
    assert (operands.calls, operands.weight_calls, operands.activation_calls, operands.activation_rows) == (4, 4, 4, 24)
    assert operands.eager_counts == [0, 0, 0, 0]
    assert backend.frame_count == 1


def test_eager_and_compiled_products_add_up() -> None:
    model = TinyModel(seed=1)
    apply_recipe(model, Recipe("test"))
    with torch.no_grad():
        model(INPUTS)
        torch.compile(model, backend="aot_eager")(INPUTS)
    assert (model.first.operands.calls, model.first.operands.activation_rows) == (2, 12)
