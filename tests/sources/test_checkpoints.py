"""Checkpoints: complete only with every shard whole and the marker there; missing and cut shards named."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from monitor.model.fact import FactKind
from monitor.sources.checkpoints import CheckpointSource, NoCheckpoint, inspect, manifest
from monitor.sources.trainer_profile import load_profile

NOW = 4e9


def _shard(path: Path, size: int = 5000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * size)
        archive.writestr("archive/version", b"3")


def _checkpoint(directory: Path, step: int = 29, world: int = 2, marker: int | None = 29) -> Path:
    path = directory / f"global_step_{step}"
    for kind in ("model", "optim", "extra_state"):
        for rank in range(world):
            _shard(path / "actor" / f"{kind}_world_size_{world}_rank_{rank}.pt")
    (path / "actor" / "huggingface").mkdir()
    (path / "actor" / "huggingface" / "config.json").write_text("{}")
    _shard(path / "data.pt")
    if marker is not None:
        (directory / "latest_checkpointed_iteration.txt").write_text(str(marker))
    return path


def test_a_whole_checkpoint_is_complete(tmp_path: Path) -> None:
    state = inspect(_checkpoint(tmp_path))
    assert (state.step, state.complete, state.missing, state.marker_step) == (29, True, (), 29)
    assert len(state.shards) == 6 and "actor/model_world_size_2_rank_1.pt" in state.shards
    assert state.bytes > 6 * 5000


@pytest.mark.parametrize(("marker", "complete"), [(None, False), (20, False), (29, True), (40, True)])
def test_the_marker_decides_as_it_is_written_last(tmp_path: Path, marker: int | None, complete: bool) -> None:
    assert inspect(_checkpoint(tmp_path, marker=marker)).complete is complete


def test_a_marker_that_is_no_number_is_none(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path)
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("2\x009")
    assert inspect(path).marker_step is None


@pytest.mark.parametrize("kind", ["model", "optim", "extra_state"])
def test_a_missing_shard_is_named(tmp_path: Path, kind: str) -> None:
    path = _checkpoint(tmp_path)
    (path / "actor" / f"{kind}_world_size_2_rank_1.pt").unlink()
    state = inspect(path)
    assert not state.complete
    assert state.missing == (f"actor/{kind}_world_size_2_rank_1.pt (absent)",)


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_a_cut_shard_is_named(tmp_path: Path, keep: int) -> None:
    path = _checkpoint(tmp_path)
    shard = path / "actor" / "model_world_size_2_rank_0.pt"
    shard.write_bytes(shard.read_bytes()[:keep])
    state = inspect(path)
    assert not state.complete
    assert "actor/model_world_size_2_rank_0.pt (" in state.missing[0]
    assert "actor/model_world_size_2_rank_0.pt" not in state.shards


def test_a_checkpoint_without_a_model_is_not_complete(tmp_path: Path) -> None:
    path = tmp_path / "global_step_29"
    path.mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("29")
    assert inspect(path).missing == ("actor/model_world_size_*_rank_0.pt (absent)",)


def test_a_shard_in_torchs_old_format_is_taken_as_it_is(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path)
    (path / "actor" / "extra_state_world_size_2_rank_0.pt").write_bytes(b"\x80\x02old")
    assert inspect(path).complete


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoCheckpoint, match="global_step_7 can't be read"):
        inspect(tmp_path / "global_step_7")
    with pytest.raises(NoCheckpoint, match="not a folder named"):
        inspect(tmp_path)


def test_the_manifest_has_every_file_and_hashes_up_to_the_limit(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path, world=1)
    table = manifest(path)
    config = path / "actor/huggingface/config.json"
    assert table["actor/huggingface/config.json"] == [2, hashlib.sha256(config.read_bytes()).hexdigest()]
    assert len(table) == 5
    limited = manifest(path, hash_limit=100)
    assert limited["actor/huggingface/config.json"][1] != ""
    assert limited["data.pt"] == [table["data.pt"][0], ""]


def test_a_growing_checkpoint_is_told_each_time_it_grew_and_once_when_complete(tmp_path: Path) -> None:
    source = CheckpointSource(tmp_path)
    assert source.poll(NOW) == []
    path = _checkpoint(tmp_path, marker=None)
    (fact,) = source.poll(NOW)
    assert (fact.kind, fact.step, fact.data["complete"]) == (FactKind.CHECKPOINT, 29, False)
    assert source.poll(NOW) == []
    _shard(path / "more.pt")
    (grown,) = source.poll(NOW)
    assert grown.data["bytes"] > fact.data["bytes"]
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("29")
    (complete,) = source.poll(NOW)
    assert complete.data["complete"] and complete.data["path"] == str(path)
    assert source.poll(NOW) == []


def test_a_shard_lost_later_is_told(tmp_path: Path) -> None:
    source = CheckpointSource(tmp_path)
    path = _checkpoint(tmp_path)
    source.poll(NOW)
    (path / "actor/model_world_size_2_rank_0.pt").unlink()
    (fact,) = source.poll(NOW)
    assert not fact.data["complete"] and "model_world_size_2_rank_0" in fact.data["missing"][0]


def test_checkpoints_of_another_layout_are_followed_by_their_own_names(tmp_path: Path) -> None:
    source = CheckpointSource(tmp_path, load_profile("trl").checkpoints)
    (tmp_path / "global_step_7").mkdir()
    path = tmp_path / "checkpoint-29"
    path.mkdir()
    (path / "optimizer.pt").write_bytes(b"x")
    (fact,) = source.poll(NOW)
    assert (fact.step, fact.data["complete"]) == (29, False)
    (path / "trainer_state.json").write_text("{}")
    (fact,) = source.poll(NOW)
    assert (fact.step, fact.data["complete"], fact.data["missing"]) == (29, True, [])
    with pytest.raises(NoCheckpoint, match="not a folder named as"):
        inspect(tmp_path / "global_step_7", load_profile("trl").checkpoints)
