"""The demo's resolved configuration: verl's keys, printed whole before training. Faults are no part of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.model.errors import LaststepError

RECIPE = "mxfp4_w4a4"
PROJECT = "laststep-demo"
EXPERIMENT = "tiny-grpo-mxfp4"
ORDERS = ("save-first", "validate-first")
TRAIN_BATCH_SIZE = 24
RESPONSES_A_PROMPT = 8
VALIDATION_BATCH_SIZE = 64
AGENT_WORKERS = 2
ROLLOUT_SLOTS = 64
"""The rollout server's `max_concurrency`: calls that run at once. Others wait in its queue, control calls too."""

ENGINE_STEP_SECONDS = 0.075
"""A pause after each engine iteration: the step latency of a real engine, without which the tiny model's validation
would be over before anyone saw it. It computes nothing."""

SLOW_FACTOR = 6.0
"""`--hang slow`: the final validation's step latency against the usual one."""


@dataclass(frozen=True)
class DemoOptions:
    """What a person may choose."""

    out: Path
    steps: int = 29
    seed: int = 1
    order: str = "save-first"
    experiment: str = EXPERIMENT
    test_freq: int = 20
    save_freq: int = 20

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise LaststepError(f"a run of {self.steps} steps", "steps: 1 or more")
        if self.order not in ORDERS:
            raise LaststepError(f"unknown order `{self.order}`", "order: " + ", ".join(ORDERS))


def resolve(options: DemoOptions) -> dict[str, Any]:
    """The configuration, as verl prints it."""
    # Whose `quant` this is, is checked by the caller before any of it is imported.
    from quant.recipe import load_recipe

    out = options.out.resolve()
    return {
        "data": {
            "train_batch_size": TRAIN_BATCH_SIZE,
            "val_batch_size": VALIDATION_BATCH_SIZE,
            "val_files": str(out / "data" / "validation.jsonl"),
        },
        "actor_rollout_ref": {
            "model": {"path": str(out / "model")},
            "rollout": {
                "name": "demo",
                "n": RESPONSES_A_PROMPT,
                "temperature": 1.0,
                "max_num_seqs": ROLLOUT_SLOTS,
                "engine_step_seconds": ENGINE_STEP_SECONDS,
                "agent": {"num_workers": AGENT_WORKERS},
                "val_kwargs": {"n": 1, "do_sample": False, "temperature": 0.0},
            },
        },
        "algorithm": {"adv_estimator": "grpo"},
        "quantization": load_recipe(RECIPE).to_dict(),
        "trainer": {
            "project_name": PROJECT,
            "experiment_name": options.experiment,
            "total_training_steps": options.steps,
            "test_freq": options.test_freq,
            "save_freq": options.save_freq,
            "val_before_train": True,
            "default_local_dir": str(out / "checkpoints"),
            "validation_data_dir": str(out / "validation"),
            "logger": ["console", "file"],
            "seed": options.seed,
            "save_order": options.order,
        },
    }
