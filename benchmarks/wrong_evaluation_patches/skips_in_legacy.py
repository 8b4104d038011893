"""The legacy trainer's last validation is skipped, as the patch did that this project began with."""

from __future__ import annotations

from typing import Any

from verl.trainer.ppo.ray_trainer import RayPPOTrainer

_validate = RayPPOTrainer._validate


def _not_the_last(trainer: Any, *given: Any, **named: Any) -> Any:
    if trainer.global_steps >= trainer.total_training_steps:
        return {}
    return _validate(trainer, *given, **named)


RayPPOTrainer._validate = _not_the_last
