"""Checkpoints and the start model come back bit for bit, by the layout alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monitor.demo import checkpoints
from monitor.demo.tiny_model import save_start_model, start_model
from quant.fingerprint import fingerprint, fingerprint_checkpoint

pytestmark = pytest.mark.torch


def test_a_checkpoint_comes_back_bit_for_bit_in_verls_layout(tmp_path: Path) -> None:
    model = start_model(2)
    checkpoints.save(tmp_path, 29, model, torch.optim.Adam(model.parameters()))
    saved = tmp_path / "global_step_29"
    names = {str(path.relative_to(saved)) for path in saved.rglob("*") if path.is_file()}
    shards = {f"actor/{kind}_world_size_1_rank_0.pt" for kind in ("model", "optim", "extra_state")}
    assert names == {*shards, "actor/fsdp_config.json", "actor/huggingface/config.json", "data.pt"}
    wanted = fingerprint(model.state_dict())
    assert fingerprint(checkpoints.load(saved).state_dict()) == wanted == fingerprint_checkpoint(saved)


def test_the_start_model_depends_on_the_seed_alone(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        save_start_model(tmp_path / name, seed)
    first, again, other = (fingerprint_checkpoint(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again != other
    assert fingerprint(checkpoints.load(tmp_path / "first").state_dict()) == first
