"""LoRA adapters that verl trained: merged into their base model by what verl writes beside the shards, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from quant.checkpoint import check_whole, read_weights, tensor_shapes
from quant.errors import WeightsError
from quant.fingerprint import fingerprint, fingerprint_checkpoint

LAYER = "model.layers.0.mlp.up_proj"
PEFT = f"base_model.model.{LAYER}"
RANK, ALPHA = 2, 6


def trained() -> dict[str, Any]:
    """An adapted layer and a norm, as PEFT names them."""
    source = torch.Generator().manual_seed(3)
    return {
        f"{PEFT}.base_layer.weight": torch.randn(8, 4, generator=source),
        f"{PEFT}.lora_A.default.weight": torch.randn(RANK, 4, generator=source),
        f"{PEFT}.lora_B.default.weight": torch.randn(8, RANK, generator=source),
        "base_model.model.model.norm.weight": torch.ones(4),
    }


def saved(folder: Path, weights: dict[str, Any], meta: Any = None) -> Path:
    """verl's one shard, with what it writes of the adapter beside it."""
    actor = folder / "actor"
    actor.mkdir()
    torch.save(weights, actor / "model_world_size_1_rank_0.pt")
    (actor / "fsdp_config.json").write_text(json.dumps({"world_size": 1}))
    written = {"r": RANK, "lora_alpha": ALPHA, "task_type": "CAUSAL_LM"} if meta is None else meta
    (actor / "lora_train_meta.json").write_text(json.dumps(written))
    return folder


def expected() -> dict[str, Any]:
    """By the definition, row by row."""
    given = trained()
    a, b = given[f"{PEFT}.lora_A.default.weight"], given[f"{PEFT}.lora_B.default.weight"]
    delta = torch.stack([sum(b[row, rank] * a[rank] for rank in range(RANK)) for row in range(8)]) * (ALPHA / RANK)
    weight = given[f"{PEFT}.base_layer.weight"] + delta
    return {f"{LAYER}.weight": weight, "model.norm.weight": torch.ones(4)}


def test_an_adapter_is_added_to_its_layer_under_the_models_own_names(tmp_path: Path) -> None:
    found = read_weights(saved(tmp_path, trained()))
    assert sorted(found) == sorted(expected())
    for name, value in expected().items():
        assert torch.allclose(found[name], value, atol=1e-6), name
    assert not torch.allclose(found[f"{LAYER}.weight"], trained()[f"{PEFT}.base_layer.weight"])


def test_fingerprint_and_shapes_are_those_of_the_merged_model(tmp_path: Path) -> None:
    folder = saved(tmp_path, trained())
    assert fingerprint_checkpoint(folder, dtype="bfloat16") == fingerprint(read_weights(folder), dtype="bfloat16")
    shapes = {name: tuple(value.shape) for name, value in expected().items()}
    assert tensor_shapes(folder) == shapes
    check_whole(tensor_shapes(folder), shapes)


@pytest.mark.parametrize("meta", [{}, {"r": 0, "lora_alpha": 1}, {"r": "two", "lora_alpha": 1}, []])
def test_without_rank_and_alpha_nothing_is_merged(tmp_path: Path, meta: Any) -> None:
    with pytest.raises(WeightsError, match="doesn't say rank and alpha"):
        read_weights(saved(tmp_path, trained(), meta))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{PEFT}.lora_magnitude_vector.default.weight", "no plain LoRA"),
        ("base_model.model.model.embed_tokens.lora_embedding_A.default", "no plain LoRA"),
        ("base_model.model.lm_head.modules_to_save.default.weight", "no plain LoRA"),
        ("base_model.model.model.layers.1.mlp.up_proj.lora_A.default.weight", "is not whole"),
    ],
)
def test_other_adapters_and_halves_of_one_are_refused_by_name(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        read_weights(saved(tmp_path, {**trained(), name: torch.zeros(2, 4)}))
