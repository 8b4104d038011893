"""A run's folder as training leaves it, made without training: start model, checkpoints, marker, validation set."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from monitor.model.run import RunConfig, RunState
from tests.rerun.engines import small_network

STEP = 4
EARLIER = 2
SAMPLES = 40
RUN = "small-20260101T000000Z"
RECIPE = {
    "name": "mxfp4_w4a4",
    "format": "mxfp4",
    "scale_rule": "even",
    "block_size": 32,
    "quantize_weights": True,
    "quantize_activations": True,
    "exclude": ["lm_head"],
    "dtype": "float32",
}


def make_run(folder: Path) -> RunState:
    """Start model and checkpoints of steps 2 and 4 on disk, and what a watch would know of the run."""
    write_model(folder / "model", seed=0)
    for step in (EARLIER, STEP):
        write_checkpoint(folder / "checkpoints", step, seed=step)
    data = folder / "data" / "validation.jsonl"
    data.parent.mkdir()
    data.write_text("".join(f"{seed}\n" for seed in range(SAMPLES)))
    (folder / "validation").mkdir()
    (folder / "console.log").write_text("step:4 - timing_s/gen:1.0\n")
    config = RunConfig(
        experiment="small",
        trainer="demo",
        total_steps=STEP,
        checkpoint_dir=str(folder / "checkpoints"),
        validation_data_dir=str(folder / "validation"),
        validation_file=str(data),
        model_path=str(folder / "model"),
        console_log=str(folder / "console.log"),
        validation_rows=SAMPLES,
        recipe=RECIPE,
        validation_sha256=hashlib.sha256(data.read_bytes()).hexdigest(),
    )
    return RunState(name=RUN, config=config, started_at=1_767_225_600.0, trainer="demo", step=STEP, total_steps=STEP)


def write_model(folder: Path, seed: int) -> None:
    """The start model's folder."""
    folder.mkdir(parents=True)
    torch.save(small_network(seed).state_dict(), folder / "model.pt")


def write_checkpoint(directory: Path, step: int, seed: int) -> Path:
    """`global_step_N` with its marker, in the order of the trainer: the marker last."""
    actor = directory / f"global_step_{step}" / "actor"
    actor.mkdir(parents=True)
    for kind in ("model", "optim", "extra_state"):
        torch.save(small_network(seed).state_dict(), actor / f"{kind}_world_size_1_rank_0.pt")
    torch.save({}, actor.parent / "data.pt")
    (directory / "latest_checkpointed_iteration.txt").write_text(str(step))
    return actor.parent


def tree_hash(folder: Path) -> str:
    """A hash over the name and bytes of every file."""
    digest = hashlib.sha256()
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
