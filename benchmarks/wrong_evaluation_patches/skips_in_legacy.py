"""The legacy trainer's last validation is skipped."""

from __future__ import annotations

from verl.trainer.ppo.ray_trainer import RayPPOTrainer

from benchmarks.wrong_evaluation_patches import skip_the_last_validation

skip_the_last_validation(RayPPOTrainer)
