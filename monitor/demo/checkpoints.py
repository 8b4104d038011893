"""The demo's checkpoints in verl's layout: the train worker writes them, the trainer the marker.

global_step_N/actor/{model,optim,extra_state}_world_size_1_rank_0.pt, fsdp_config.json, huggingface/config.json
global_step_N/data.pt
latest_checkpointed_iteration.txt
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from monitor.demo.tiny_model import WEIGHTS_FILE, TinyTransformer, load_model, write_config

MARKER = "latest_checkpointed_iteration.txt"


def folder(directory: Path, step: int) -> Path:
    """The folder of one step."""
    return directory / f"global_step_{step}"


def save(directory: Path, step: int, model: TinyTransformer, optimizer: Any) -> None:
    """Everything of a step but the marker."""
    actor = folder(directory, step) / "actor"
    actor.mkdir(parents=True)
    torch.save(model.state_dict(), actor / WEIGHTS_FILE)
    torch.save(optimizer.state_dict(), actor / WEIGHTS_FILE.replace("model", "optim", 1))
    torch.save({"rng": torch.get_rng_state()}, actor / WEIGHTS_FILE.replace("model", "extra_state", 1))
    (actor / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 2, "world_size": 1}) + "\n", encoding="utf-8")
    write_config(actor / "huggingface", model.config)
    torch.save({"global_steps": step}, folder(directory, step) / "data.pt")


def load(path: Path) -> TinyTransformer:
    """The model of `global_step_N`, or of a start model's folder."""
    actor = path / "actor"
    if actor.is_dir():
        return load_model(actor / WEIGHTS_FILE, actor / "huggingface")
    return load_model(path / WEIGHTS_FILE, path)
