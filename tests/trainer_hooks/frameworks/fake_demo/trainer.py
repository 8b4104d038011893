"""A loop with verl's order of phases: train, save, update weights, validate."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from tests.trainer_hooks.frameworks.fake_demo.agent_loop import AgentLoopWorker


@contextlib.contextmanager
def marked_timer(name: str, timing_raw: dict[str, float]) -> Iterator[None]:
    """Times a phase."""
    yield
    timing_raw[name] = 0.5


class Tracking:
    """A tracker."""

    def log(self, data: dict[str, Any], step: int, backend: str | None = None) -> None:
        """Logs."""


class RayPPOTrainer:
    """The trainer; `faults` names what goes wrong in it."""

    def __init__(self, folder: str, steps: int = 4, test_freq: int = 3, faults: tuple[str, ...] = ()) -> None:
        trainer = {
            "experiment_name": "e",
            "project_name": "p",
            "total_training_steps": steps,
            "test_freq": test_freq,
            "default_local_dir": folder,
        }
        rollout = {"val_kwargs": {"n": 2}}
        self.config = {"trainer": trainer, "actor_rollout_ref": {"rollout": rollout}, "quantization": {"name": "mxfp4"}}
        self.folder, self.faults, self.test_freq = folder, faults, test_freq
        self.total_training_steps, self.global_steps = steps, 0
        self.val_dataset = ["1+1=", "2+2=", "3+3="]

    def fit(self) -> str:
        """Trains."""
        timing: dict[str, float] = {}
        self._validate()
        for step in range(1, self.total_training_steps + 1):
            self.global_steps = step
            last = self.global_steps == self.total_training_steps
            with marked_timer("step", timing):
                with marked_timer("update_actor", timing):
                    if "train" in self.faults and self.global_steps == 2:
                        raise MemoryError("out of memory")
                if last:
                    with marked_timer("save_checkpoint", timing):
                        self._save_checkpoint()
                if not (last and "stale" in self.faults):
                    with marked_timer("update_weights", timing):
                        self._update_weights()
                if (last and "skip" not in self.faults) or self.global_steps % self.test_freq == 0:
                    with marked_timer("testing", timing):
                        self._validate()
            Tracking().log({"actor/loss": 0.1, "text": "x"}, step=self.global_steps)
        return "trained"

    def _update_weights(self) -> None:
        pass

    def _validate(self) -> dict[str, Any]:
        rows = len(self.val_dataset) * 2
        if "partial" in self.faults and self.global_steps == self.total_training_steps:
            rows -= 1
        worker = AgentLoopWorker()
        for index in range(rows):
            worker.generate(index, self.global_steps)
        outputs = ["2"] * rows
        self._dump_generations(outputs, outputs, outputs, [1.0] * rows, {}, os.path.join(self.folder, "validation"))
        return {"val-core/arithmetic/acc/mean@1": 0.75, "val-aux/length": 3, "note": "x"}

    def _dump_generations(
        self, inputs: Any, outputs: Any, gts: Any, scores: Any, reward_extra_infos_dict: Any, dump_path: str
    ) -> None:
        pass

    def _save_checkpoint(self) -> None:
        with open(os.path.join(self.folder, "latest_checkpointed_iteration.txt"), "w") as marker:
            marker.write(str(self.global_steps))
