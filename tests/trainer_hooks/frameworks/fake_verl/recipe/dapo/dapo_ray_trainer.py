"""A recipe: derives from the legacy trainer, brings a `fit` of its own, and forgets the final validation."""

from __future__ import annotations

from verl.trainer.ppo.ray_trainer import RayPPOTrainer
from verl.utils.profiler import marked_timer


class RayDAPOTrainer(RayPPOTrainer):
    """Validates before training only."""

    def fit(self) -> str:
        timing: dict[str, float] = {}
        self._validate()
        for step in range(1, self.total_training_steps + 1):
            self.global_steps = step
            with marked_timer("gen", timing):
                pass
            with marked_timer("update_actor", timing):
                pass
            self.checkpoint_manager.update_weights(self.global_steps)
        return "trained"


class CallsBase(RayPPOTrainer):
    """Overrides `fit` and calls the one it overrides."""

    def fit(self) -> str:
        return super().fit()
