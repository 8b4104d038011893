"""Checkpoints of safetensors: read as they are, and what is missing, cut or no whole model is told in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from safetensors.torch import save_file

from quant.checkpoint import check_tied, check_whole, read_weights, tensor_shapes
from quant.errors import WeightsError
from quant.fingerprint import fingerprint, fingerprint_checkpoint

pytestmark = pytest.mark.torch

WEIGHTS = {"a.weight": torch.randn(3, 5), "b.weight": torch.randn(7).bfloat16()}
SHAPES = {"a.weight": (3, 5), "b.weight": (7,)}


def sharded(folder: Path) -> Path:
    """Two files and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {}
    for number, (name, value) in enumerate(WEIGHTS.items()):
        save_file({name: value}, folder / f"model-{number}.safetensors")
        places[name] = f"model-{number}.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def refused(path: Path) -> str:
    """The sentence."""
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert caught.value.HELP_TEXT
    return str(caught.value)


@pytest.mark.parametrize("place", ["", "huggingface", "actor/huggingface"])
def test_one_file_or_several_hold_the_same_weights(place: str, tmp_path: Path) -> None:
    sharded(tmp_path / "many" / place)
    (tmp_path / "one" / place).mkdir(parents=True)
    save_file(WEIGHTS, tmp_path / "one" / place / "model.safetensors")
    for folder in (tmp_path / "many", tmp_path / "one"):
        assert fingerprint_checkpoint(folder) == fingerprint(WEIGHTS)
        assert tensor_shapes(folder) == SHAPES


def test_a_shard_that_the_index_names_and_nobody_has_is_told(tmp_path: Path) -> None:
    folder = sharded(tmp_path)
    (folder / "model-1.safetensors").unlink()
    assert "lacks model-1.safetensors, which its index names" in refused(folder)
    (folder / "model.safetensors.index.json").write_text("[]")
    assert "is no index of safetensors" in refused(folder)


@pytest.mark.parametrize("kept", [0, 5, 100])
def test_a_cut_file_is_told(kept: int, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file(WEIGHTS, file)
    file.write_bytes(file.read_bytes()[:kept])
    assert "is cut, or holds no weights" in refused(tmp_path)


def test_an_adapter_without_its_model_or_beside_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "holds a LoRA adapter and no model" in refused(tmp_path)
    torch.save({**WEIGHTS, "a.lora_A.default.weight": torch.zeros(1)}, tmp_path / "model.pt")
    assert "a LoRA adapter that isn't merged: a.lora_A.default.weight" in refused(tmp_path)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"a.weight": (3, 5)}, "lacks b.weight"),
        ({**SHAPES, "c.weight": (1,)}, "tensors the model hasn't: c.weight"),
        ({**SHAPES, "b.weight": (8,)}, r"b.weight is \(8,\) in the checkpoint, \(7,\) in the model"),
        ({}, "lacks a.weight, b.weight"),
    ],
)
def test_what_is_no_whole_model_is_named(found: dict[str, Any], words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        check_whole(found, SHAPES)


def test_a_head_may_be_missing_only_where_embeddings_are_tied() -> None:
    expected = {**SHAPES, "lm_head.weight": (2,)}
    check_whole(SHAPES, expected, tied=True)
    with pytest.raises(WeightsError, match="lacks lm_head"):
        check_whole(SHAPES, expected)


def test_tied_embeddings_with_another_head_are_refused() -> None:
    tied = {"embed_tokens.weight": torch.ones(2, 2), "lm_head.weight": torch.ones(2, 2)}
    check_tied(tied)
    with pytest.raises(WeightsError, match="are tied, but lm_head"):
        check_tied({**tied, "lm_head.weight": torch.zeros(2, 2)})
