"""V1's last validation is skipped; the legacy trainer's isn't."""

from __future__ import annotations

from verl.trainer.ppo.v1.trainer_base import PPOTrainer

from benchmarks.wrong_evaluation_patches import skip_the_last_validation

skip_the_last_validation(PPOTrainer)
