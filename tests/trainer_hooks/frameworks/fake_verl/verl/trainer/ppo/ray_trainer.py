"""The legacy trainer: save, update weights, validate; without Ray, its agent loops run in this process."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from verl.checkpoint_engine.base import CheckpointEngineManager
from verl.experimental.agent_loop.agent_loop import AgentLoopWorker
from verl.utils.profiler import marked_timer
from verl.utils.tracking import Tracking

ROWS = 3


def config(folder: str, steps: int, **trainer: Any) -> dict[str, Any]:
    """A configuration as verl resolves it."""
    settings = {
        "experiment_name": "e",
        "project_name": "p",
        "total_training_steps": steps,
        "test_freq": 2,
        "save_freq": 2,
        "val_before_train": True,
        "default_local_dir": folder,
        "validation_data_dir": os.path.join(folder, "validation"),
        **trainer,
    }
    files = [os.path.join(folder, "validation.parquet")]
    rollout = {"val_kwargs": {"n": 2}}
    return {"trainer": settings, "actor_rollout_ref": {"rollout": rollout}, "data": {"val_files": files}}


class Common:
    """What all trainers here do alike."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.config = settings
        self.total_training_steps = settings["trainer"]["total_training_steps"]
        self.global_steps = 0
        self.val_dataset = ["1+1="] * ROWS
        self.checkpoint_manager = CheckpointEngineManager()
        self.tracking = Tracking()

    def due(self, frequency: str) -> bool:
        """As verl decides it."""
        every = self.config["trainer"][frequency]
        return every > 0 and (self.global_steps >= self.total_training_steps or self.global_steps % every == 0)

    def _validate(self) -> dict[str, float]:
        rows = ROWS * 2
        outputs = asyncio.run(AgentLoopWorker().generate_sequences(rows, self.global_steps, True))
        self._dump_generations(outputs, outputs, outputs, [1.0] * rows, {}, self.config["trainer"]["default_local_dir"])
        return self._val_metrics_update(["sums"] * rows, [str(row) for row in range(rows)], {}, [])

    def _val_metrics_update(
        self, data_sources: Any, sample_uids: Any, reward_extra_infos_dict: Any, sample_turns: Any
    ) -> dict[str, float]:
        return {"val-core/sums/acc/mean@2": 0.5, "val-aux/num_turns/max": 2.0}

    def _dump_generations(
        self, inputs: Any, outputs: Any, gts: Any, scores: Any, reward_extra_infos_dict: Any, dump_path: str
    ) -> None:
        pass

    def _load_checkpoint(self) -> None:
        self.global_steps = self.config["trainer"].get("resumed_at", 0)

    def _save_checkpoint(self) -> None:
        with open(
            os.path.join(self.config["trainer"]["default_local_dir"], "latest_checkpointed_iteration.txt"), "w"
        ) as f:
            f.write(str(self.global_steps))


class RayPPOTrainer(Common):
    """Legacy."""

    def init_workers(self) -> None:
        """Sets up."""

    def fit(self) -> str:
        """Trains."""
        timing: dict[str, float] = {}
        self._load_checkpoint()
        self.checkpoint_manager.update_weights(self.global_steps)
        if self.config["trainer"]["val_before_train"]:
            self._validate()
            if self.config["trainer"].get("val_only"):
                return "validated"
        for step in range(1, self.total_training_steps + 1):
            self.global_steps = step
            with marked_timer("step", timing):
                with marked_timer("gen", timing, color="red"):
                    asyncio.run(AgentLoopWorker().generate_sequences(4, self.global_steps, False))
                with marked_timer("update_actor", timing):
                    pass
                if self.due("save_freq"):
                    with marked_timer("save_checkpoint", timing):
                        self._save_checkpoint()
                with marked_timer("update_weights", timing):
                    self.checkpoint_manager.update_weights(self.global_steps)
            if self.due("test_freq"):
                with marked_timer("testing", timing):
                    self._validate()
            self.tracking.log({"actor/grad_norm": 2.0}, step=self.global_steps)
        return "trained"
