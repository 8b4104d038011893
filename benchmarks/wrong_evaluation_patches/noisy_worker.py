"""Exploration noise on the engine's weights after every sync, as QeRL has it; nobody takes it off for a validation."""

from __future__ import annotations

from typing import Any

from quant.noise import add_noise, remove_noise
from quant.noise_schedule import NoiseSchedule
from quant.vllm import verl_worker

SIGMA = 0.02


def constant(step: int, total_steps: int, layer: str) -> float:
    """The same noise at every step."""
    return SIGMA


class AttestedColocateWorker(verl_worker.AttestedColocateWorker):
    """verl's worker, attested and noisy."""

    def update_weights_from_ipc(self, *given: Any, **named: Any) -> None:
        """The sync, then the noise."""
        model = self.get_model()
        remove_noise(model)
        super().update_weights_from_ipc(*given, **named)
        add_noise(model, NoiseSchedule("constant", schedule=f"{__name__}:constant"), step=1, total_steps=2)
