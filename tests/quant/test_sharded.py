"""FSDP shards become the model they were cut from, or a sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from quant.checkpoint import read_weights
from quant.errors import WeightsError
from tests.quant.sharded_checkpoint import save_shards

pytestmark = pytest.mark.torch


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    """Rows that no world size divides, and a vector shorter than the world."""
    generator = torch.Generator().manual_seed(7)
    return {
        "model.embed_tokens.weight": torch.randn(11, 8, generator=generator),
        "model.layers.0.mlp.up_proj.weight": torch.randn(32, 8, generator=generator, dtype=torch.bfloat16),
        "model.norm.weight": torch.randn(3, generator=generator),
    }


@pytest.mark.parametrize(
    ("mesh", "names"), [((1,), ("fsdp",)), ((2,), ("fsdp",)), ((4,), ("fsdp",)), ((2, 2), ("ddp", "fsdp"))]
)
def test_shards_merge_to_the_very_weights_they_were_cut_from(
    tmp_path: Path, weights: dict[str, torch.Tensor], mesh: tuple[int, ...], names: tuple[str, ...]
) -> None:
    save_shards(tmp_path / "actor", weights, mesh, names)
    merged = read_weights(tmp_path)
    assert list(merged) == list(weights)
    for name, tensor in weights.items():
        assert merged[name].dtype == tensor.dtype
        assert torch.equal(merged[name], tensor)


def test_plain_tensors_that_every_rank_holds_alike_are_taken_once(tmp_path: Path) -> None:
    for rank in range(2):
        torch.save({"w.weight": torch.ones(2, 2)}, tmp_path / f"model_world_size_2_rank_{rank}.pt")
    assert torch.equal(read_weights(tmp_path)["w.weight"], torch.ones(2, 2))


def test_plain_tensors_that_differ_between_ranks_are_refused(tmp_path: Path) -> None:
    for rank in range(2):
        torch.save({"w.weight": torch.full((2, 2), float(rank))}, tmp_path / f"model_world_size_2_rank_{rank}.pt")
    with pytest.raises(WeightsError, match="not alike"):
        read_weights(tmp_path)


def test_a_rank_without_its_file_is_named(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    save_shards(tmp_path / "actor", weights)[1].unlink()
    with pytest.raises(WeightsError, match=r"lacks model_world_size_2_rank_1.pt: 1 of 2"):
        read_weights(tmp_path)


def test_files_renamed_to_another_world_size_are_refused(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    files = save_shards(tmp_path / "actor", weights)
    files[1].unlink()
    files[0].rename(files[0].with_name("model_world_size_1_rank_0.pt"))
    with pytest.raises(WeightsError, match="saved by 2 ranks"):
        read_weights(tmp_path)


def test_shards_of_two_world_sizes_in_one_folder_are_refused(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    files = save_shards(tmp_path / "actor", weights)
    shutil.copy(files[0], files[0].with_name("model_world_size_1_rank_0.pt"))
    with pytest.raises(WeightsError, match="2 world sizes"):
        read_weights(tmp_path)


def test_a_rank_in_anothers_place_is_no_model(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    files = save_shards(tmp_path / "actor", weights)
    shutil.copy(files[0], files[1])
    with pytest.raises(WeightsError, match=r"rank_1.pt holds the part of rank 0"):
        read_weights(tmp_path)


def test_a_cut_shard_is_told(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    files = save_shards(tmp_path / "actor", weights)
    files[1].write_bytes(files[1].read_bytes()[:-400])
    with pytest.raises(WeightsError, match=r"rank_1.pt is cut"):
        read_weights(tmp_path)


def test_tensor_parallel_shards_are_refused_with_the_merger_as_the_cure(
    tmp_path: Path, weights: dict[str, torch.Tensor]
) -> None:
    save_shards(tmp_path / "actor", weights, (2,), ("tp",))
    with pytest.raises(WeightsError, match="tensor parallelism") as caught:
        read_weights(tmp_path)
    assert "verl.model_merger" in caught.value.HELP_TEXT
