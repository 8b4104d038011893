"""What vLLM can't do as the trainer does is refused while the model is built; never silently left in bfloat16."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from quant.errors import RecipeError
from quant.recipe import Recipe

pytestmark = pytest.mark.real_vllm


@pytest.fixture
def config() -> Any:
    """Of a model that fuses as qwen2 does."""
    from quant.vllm.config import LaststepMxfp4Config

    made = LaststepMxfp4Config(Recipe("real"))
    made.packed_modules_mapping = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "gate_up_proj": ["gate_proj", "up_proj"]}
    return made


def bare(kind: type) -> Any:
    """A layer of that kind, without what its making needs."""
    return kind.__new__(kind)


def refused(config: Any, layer: Any, prefix: str) -> str:
    """The sentence."""
    with pytest.raises(RecipeError) as caught:
        config.get_quant_method(layer, prefix)
    assert caught.value.HELP_TEXT
    return str(caught.value)


def test_experts_of_a_mixture_are_refused(config: Any) -> None:
    from vllm.model_executor.layers.fused_moe import RoutedExperts

    said = refused(config, bare(RoutedExperts), "model.layers.0.mlp.experts")
    assert "`model.layers.0.mlp.experts` is a RoutedExperts, which laststep_mxfp4 can't quantize" in said


def test_a_kind_of_layer_nobody_knows_is_refused(config: Any) -> None:
    assert "is a SimpleNamespace" in refused(config, SimpleNamespace(), "model.strange")


def test_an_output_head_that_the_recipe_means_is_refused() -> None:
    from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

    from quant.vllm.config import LaststepMxfp4Config

    every = LaststepMxfp4Config(Recipe("real", exclude=()))
    assert "output head `lm_head` can't be quantized" in refused(every, bare(ParallelLMHead), "lm_head")


def test_a_fused_layer_that_the_recipe_means_in_part_is_refused() -> None:
    from vllm.model_executor.layers.linear import QKVParallelLinear

    from quant.vllm.config import LaststepMxfp4Config

    partial = LaststepMxfp4Config(Recipe("real", exclude=("lm_head", "k_proj")))
    partial.packed_modules_mapping = {"qkv_proj": ["q_proj", "k_proj", "v_proj"]}
    said = refused(partial, bare(QKVParallelLinear), "layers.0.qkv_proj")
    assert "leaves layers.0.k_proj alone, but vLLM fuses it with others into layers.0.qkv_proj" in said


@pytest.mark.parametrize(
    ("tensor_parallel", "dtype", "words"),
    [
        (2, "float32", "over 2 tensor-parallel ranks"),
        (1, "bfloat16", "computes in float32, vLLM was started in bfloat16"),
    ],
)
def test_ranks_and_types_that_differ_from_the_trainers_are_refused(
    tensor_parallel: int, dtype: str, words: str, config: Any
) -> None:
    import torch
    from vllm.model_executor.layers.linear import RowParallelLinear

    method = config.get_quant_method(bare(RowParallelLinear), "layers.0.o_proj")
    layer = SimpleNamespace(tp_size=tensor_parallel, prefix="layers.0.o_proj")
    with pytest.raises(RecipeError, match=words):
        method.create_weights(layer, 64, [64], 64, 64, getattr(torch, dtype), weight_loader=lambda *words: None)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"quant_method": "laststep_mxfp4", "receipt": {}}, "unknown key `receipt`"),
        ({"recipe": {"name": "a", "scale_role": "even"}}, "unknown key `scale_role`"),
        (
            {"recipe": {"name": "a", "format": "nvfp4", "block_size": 16}},
            "is nvfp4, the quantization asked for is laststep_mxfp4",
        ),
    ],
)
def test_a_configuration_that_says_something_else_is_refused(document: dict[str, Any], words: str) -> None:
    from quant.vllm.config import LaststepMxfp4Config

    with pytest.raises(RecipeError, match=words):
        LaststepMxfp4Config.from_config(document)


def test_the_plugin_is_an_entry_point_that_registers_both_formats_and_may_run_twice() -> None:
    from importlib.metadata import entry_points

    (point,) = [point for point in entry_points(group="vllm.general_plugins") if point.name == "laststep"]
    register = point.load()
    register()
    register()
    from vllm.model_executor.layers.quantization import get_quantization_config

    assert get_quantization_config("laststep_mxfp4").fmt == "mxfp4"
    assert get_quantization_config("laststep_nvfp4").fmt == "nvfp4"
