"""vLLM's own linear layers with a stand-in for another's method, attested as the worker does it, without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quant.recipe import Recipe

pytestmark = pytest.mark.real_vllm

TOKENS = 12
DECLARED = Recipe("real", kernels=("StandInMethod",))


@pytest.fixture(autouse=True)
def world_of_one(tmp_path: Path) -> Iterator[None]:
    """vLLM's process groups, of this process alone: its layers ask for their rank."""
    from vllm.config import VllmConfig, set_current_vllm_config
    from vllm.distributed import parallel_state

    with set_current_vllm_config(VllmConfig()):
        parallel_state.init_distributed_environment(1, 0, f"file://{tmp_path}/store", 0, "gloo")
        parallel_state.initialize_model_parallel()
        yield
        parallel_state.destroy_model_parallel()
        parallel_state.destroy_distributed_environment()


def model_of_others(activations: bool = True) -> Any:
    """Two of vLLM's layers, whose method rounds both operands and counts nothing."""
    import torch
    from vllm.model_executor.layers.linear import LinearMethodBase, ReplicatedLinear

    from quant.formats import mxfp4

    class StandInMethod(LinearMethodBase):
        def create_weights(self, layer: Any, *words: Any, **named: Any) -> None:
            raise AssertionError("put over a layer that has its weight")

        def apply(self, layer: Any, x: Any, bias: Any = None) -> Any:
            x = mxfp4.quantize_dequantize(x) if activations else x
            return torch.nn.functional.linear(x, layer.weight, bias)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            words: dict[str, Any] = {"params_dtype": torch.float32, "disable_tp": True}
            self.up = ReplicatedLinear(64, 96, bias=True, prefix="up", **words)
            self.down = ReplicatedLinear(96, 64, bias=False, prefix="down", **words)
            for layer in (self.up, self.down):
                layer.quant_method = StandInMethod()
                for parameter in layer.parameters():
                    torch.nn.init.normal_(parameter)
                layer.weight.data = mxfp4.quantize_dequantize(layer.weight.data)

        def forward(self, x: Any) -> Any:
            return self.down(torch.relu(self.up(x)[0]))[0]

    return Model()


def reasons(model: Any, recipe: Recipe, asked: Recipe = DECLARED) -> tuple[str, ...]:
    """The verdict on three batches; the checkpoint's fingerprint is what the engine says, which isn't at issue here."""
    import torch

    from quant.verification import refusals
    from quant.vllm.worker import begin, close

    opening = begin(model, recipe)
    with torch.inference_mode():
        for _ in range(3):
            model(torch.randn(TOKENS // 3, 64))
    document = close(model, opening, {"tokens": TOKENS})
    own = document["fingerprint_begin"]
    return refusals(document, recipe=asked.to_dict(), checkpoint_fingerprint=own, start_fingerprint=None)


def test_a_declared_method_of_others_is_accepted_in_vllms_layers() -> None:
    assert reasons(model_of_others(), DECLARED) == ()


def test_undeclared_it_is_refused_as_a_kernel_that_counts_nothing() -> None:
    found = reasons(model_of_others(), Recipe("real"), Recipe("real"))
    assert "its kernel counts nothing in the graph, so its use isn't shown: up, down" in found


def test_a_declared_method_that_keeps_activations_is_refused() -> None:
    found = reasons(model_of_others(activations=False), DECLARED)
    assert "activations were not rounded by the recipe's rule: up, down" in found
    assert "activations were not rounded in every product: up, down" in found
