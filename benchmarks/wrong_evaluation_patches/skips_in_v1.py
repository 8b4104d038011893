"""V1's last validation is skipped; the legacy trainer's isn't."""

from __future__ import annotations

from typing import Any

from verl.trainer.ppo.v1.trainer_base import PPOTrainer

_validate = PPOTrainer._validate


def _not_the_last(trainer: Any, *given: Any, **named: Any) -> Any:
    if trainer.global_steps >= trainer.total_training_steps:
        return {}
    return _validate(trainer, *given, **named)


PPOTrainer._validate = _not_the_last
