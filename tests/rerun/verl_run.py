"""A verl run's folder as training leaves it, small: Hydra's configuration, FSDP shards, tokenizer, marker, data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml

from tests.quant.sharded_checkpoint import save_shards

STEP, ROWS = 2, 3


def small_weights(seed: int) -> dict[str, torch.Tensor]:
    """A few tensors that differ with the seed."""
    generator = torch.Generator().manual_seed(seed)
    return {"model.embed_tokens.weight": torch.randn(8, 4, generator=generator)}


def make_verl_run(folder: Path, world: int = 2, **settings: Any) -> Path:
    """The folder; `settings` are dotted keys over the usual configuration, with `__` for the dot."""
    write_tokenizer(folder / "model")
    torch.save(small_weights(0), folder / "model" / "model.pt")
    for step in (1, STEP):
        checkpoint = folder / "checkpoints" / f"global_step_{step}"
        save_shards(checkpoint / "actor", small_weights(step), (world,))
        write_tokenizer(checkpoint / "actor" / "huggingface")
    (folder / "checkpoints" / "latest_checkpointed_iteration.txt").write_text(str(STEP))
    (folder / "validation.jsonl").write_text(
        "".join(json.dumps({"prompt": "a", "ground_truth": "b"}) + "\n" for _ in range(ROWS))
    )
    (folder / "reward.py").write_text("def compute_score(**_named):\n    return 1.0\n")
    config = configuration(folder)
    for key, value in settings.items():
        place, *names = [config, *key.split("__")]
        for name in names[:-1]:
            place = place.setdefault(name, {})
        place[names[-1]] = value
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def write_tokenizer(folder: Path, **vocabulary: int) -> None:
    """A tokenizer of two words, and more."""
    folder.mkdir(parents=True, exist_ok=True)
    words = {"model": {"vocab": {"a": 0, "b": 1, **vocabulary}, "merges": []}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(words))


def configuration(folder: Path) -> dict[str, Any]:
    """What verl's Hydra file holds of it."""
    return {
        "trainer": {
            "experiment_name": "small",
            "project_name": "tiny",
            "total_training_steps": STEP,
            "default_local_dir": str(folder / "checkpoints"),
            "validation_data_dir": str(folder / "validation"),
        },
        "data": {"val_files": str(folder / "validation.jsonl"), "max_response_length": 32},
        "actor_rollout_ref": {
            "model": {"path": str(folder / "model")},
            "actor": {"fsdp_config": {"qat": {"enable": False}}},
            "rollout": {
                "dtype": "bfloat16",
                "max_model_len": 256,
                "enforce_eager": True,
                "val_kwargs": {"n": 1, "do_sample": False, "temperature": 0, "top_p": 1.0, "top_k": -1},
            },
        },
        "reward": {"custom_reward_function": {"path": str(folder / "reward.py"), "name": "compute_score"}},
    }
