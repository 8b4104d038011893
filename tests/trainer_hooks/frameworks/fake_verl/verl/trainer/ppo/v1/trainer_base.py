"""V1: an abstract trainer whose callbacks sync the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from verl.trainer.ppo.ray_trainer import Common
from verl.utils.profiler import marked_timer


class PPOTrainer(Common, ABC):
    """V1's loop."""

    def init(self) -> None:
        """Sets up."""
        self._load_checkpoint()
        self.on_init_end()

    def fit(self, agent_loop_manager: Any) -> str:
        """Trains."""
        self.timing_raw: dict[str, float] = {}
        self._validate()
        self.global_steps = 1
        while self.global_steps <= self.total_training_steps:
            with marked_timer("step", self.timing_raw):
                with marked_timer("update_actor", self.timing_raw):
                    pass
                if self.due("save_freq"):
                    with marked_timer("save_checkpoint", self.timing_raw):
                        self._save_checkpoint()
                self.on_step_end()
            if self.due("test_freq"):
                with marked_timer("testing", self.timing_raw):
                    self._validate()
            self.tracking.log({"actor/grad_norm": 2.0}, step=self.global_steps)
            self.global_steps += 1
        return "trained"

    def _validate(self) -> dict[str, float]:
        return super()._validate()

    @abstractmethod
    def on_init_end(self) -> None:
        """Weights before training."""

    @abstractmethod
    def on_step_end(self) -> None:
        """Weights after a step."""
