"""The synchronous V1 trainer."""

from __future__ import annotations

from verl.trainer.ppo.v1.trainer_base import PPOTrainer
from verl.utils.profiler import marked_timer


class PPOTrainerSync(PPOTrainer):
    """Syncs at the end of a step."""

    def on_init_end(self) -> None:
        self.checkpoint_manager.update_weights(self.global_steps)

    def on_step_end(self) -> None:
        with marked_timer("update_weights", self.timing_raw):
            self.checkpoint_manager.update_weights(self.global_steps)
