"""A sharded checkpoint has the merged model's fingerprint, added up over its shards, or the same sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from quant import checkpoint
from quant.checkpoint import read_weights
from quant.errors import WeightsError
from quant.fingerprint import fingerprint, fingerprint_checkpoint
from tests.quant.sharded_checkpoint import save_shards

pytestmark = pytest.mark.torch


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    """Rows that no world size divides, and vectors whose parts begin amid a word of 8 bytes."""
    generator = torch.Generator().manual_seed(7)
    return {
        "model.embed_tokens.weight": torch.randn(11, 8, generator=generator),
        "model.layers.0.mlp.up_proj.weight": torch.randn(32, 6, generator=generator, dtype=torch.bfloat16),
        "model.layers.0.mlp.experts": torch.randn(5, 3, 4, generator=generator),
        "model.layers.0.norm.weight": torch.randn(10, generator=generator, dtype=torch.bfloat16),
        "model.norm.weight": torch.randn(3, generator=generator),
        "lm_head.weight": torch.randn(11, 8, generator=generator),
    }


MESHES = [((2,), ("fsdp",)), ((3,), ("fsdp",)), ((8,), ("fsdp",)), ((2, 2), ("ddp", "fsdp"))]


@pytest.mark.parametrize("dtype", [None, "bfloat16"])
@pytest.mark.parametrize(("mesh", "names"), MESHES)
def test_the_fingerprint_of_the_shards_is_that_of_the_merged_model(
    tmp_path: Path, weights: dict[str, torch.Tensor], mesh: tuple[int, ...], names: tuple[str, ...], dtype: str | None
) -> None:
    save_shards(tmp_path / "actor", weights, mesh, names)
    torch.save(weights, tmp_path / "merged.pt")
    found = fingerprint_checkpoint(tmp_path, dtype=dtype)
    assert found == fingerprint(weights, dtype=dtype) == fingerprint(read_weights(tmp_path), dtype=dtype)
    assert found == fingerprint_checkpoint(tmp_path / "merged.pt", dtype=dtype)


def test_one_bit_of_one_shard_changes_it(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    save_shards(tmp_path / "actor", weights)
    before = fingerprint_checkpoint(tmp_path)
    weights["model.embed_tokens.weight"].view(torch.int32)[-1, -1] ^= 1
    save_shards(tmp_path / "actor", weights)
    assert fingerprint_checkpoint(tmp_path) != before


def test_a_sharded_head_that_is_the_embeddings_does_not_count(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    tied = {**weights, "lm_head.weight": weights["model.embed_tokens.weight"].clone()}
    save_shards(tmp_path / "actor", tied)
    without = {name: tensor for name, tensor in tied.items() if name != "lm_head.weight"}
    assert fingerprint_checkpoint(tmp_path) == fingerprint(without) != fingerprint(weights)


def test_shards_are_held_one_at_a_time(
    tmp_path: Path, weights: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def merging(*words: object) -> None:
        raise AssertionError("merged the whole model")

    save_shards(tmp_path / "actor", weights)
    monkeypatch.setattr(checkpoint, "merge", merging)
    assert fingerprint_checkpoint(tmp_path) == fingerprint(weights)


def test_tensors_that_every_rank_holds_whole_count_once_and_must_be_alike(tmp_path: Path) -> None:
    for rank in range(2):
        torch.save({"w.weight": torch.ones(2, 2)}, tmp_path / f"model_world_size_2_rank_{rank}.pt")
    assert fingerprint_checkpoint(tmp_path) == fingerprint({"w.weight": torch.ones(2, 2)})
    torch.save({"w.weight": torch.full((2, 2), 1 + 2**-20)}, tmp_path / "model_world_size_2_rank_1.pt")
    for dtype in (None, "bfloat16"):
        with pytest.raises(WeightsError, match="not alike"):
            fingerprint_checkpoint(tmp_path, dtype=dtype)


def test_what_is_no_model_has_no_fingerprint(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    files = save_shards(tmp_path / "swapped", weights)
    shutil.copy(files[0], files[1])
    with pytest.raises(WeightsError, match=r"rank_1.pt holds the part of rank 0"):
        fingerprint_checkpoint(tmp_path / "swapped")
    fewer = {name: tensor for name, tensor in weights.items() if name != "model.norm.weight"}
    other = save_shards(tmp_path / "other", fewer)
    mixed = save_shards(tmp_path / "mixed", weights)
    shutil.copy(other[1], mixed[1])
    with pytest.raises(WeightsError, match=r"hold other tensors: model.norm.weight"):
        fingerprint_checkpoint(tmp_path / "mixed")
    taller = {**weights, "model.embed_tokens.weight": torch.zeros(13, 8)}
    shutil.copy(save_shards(tmp_path / "taller", taller)[1], mixed[1])
    with pytest.raises(WeightsError, match=r"rank 1 holds model.embed_tokens.weight cut otherwise than rank 0"):
        fingerprint_checkpoint(tmp_path / "mixed")


def test_a_sharded_adapter_that_is_not_merged_is_refused(tmp_path: Path) -> None:
    save_shards(tmp_path / "actor", {"model.q_proj.lora_A.default.weight": torch.zeros(4, 4)})
    with pytest.raises(WeightsError, match="LoRA adapter that isn't merged"):
        fingerprint_checkpoint(tmp_path)
