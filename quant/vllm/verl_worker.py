"""verl's worker inside vLLM, with the attestation: named in a run's configuration, it lets validations be attested.

    +actor_rollout_ref.rollout.engine_kwargs.vllm.worker_extension_cls=quant.vllm.verl_worker.AttestedColocateWorker

verl's own extension with `quant.vllm.worker`'s methods beside its own: nothing of verl's is changed by it. Who calls
them is the hooks' to say (`trainer_hooks/frameworks/engine_attestation.py`, by the class's name), and of
`LaststepVerlWorker` the rerun's (`monitor/rerun/verl_attested.py`). Imports verl, so vLLM's workers import it by name.
"""

from __future__ import annotations

from typing import Any

from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension

from quant.recipe import Recipe
from quant.vllm.worker import LaststepWorker


class LaststepVerlWorker(vLLMColocateWorkerExtension, LaststepWorker):
    """What verl mixes into vLLM's worker, attested. Counts the syncs that reached it."""

    laststep_syncs = 0

    def update_weights_from_ipc(self, *given: Any, **named: Any) -> Any:
        """verl's own; a sync that fails does not count."""
        result = super().update_weights_from_ipc(*given, **named)
        self.laststep_syncs += 1
        return result

    def laststep_close(self, facts: dict[str, Any] | None = None, path: str | None = None) -> dict[str, Any]:
        """The attestation, with `weight_syncs`: how often this worker has taken the trainer's weights."""
        return super().laststep_close({**(facts or {}), "weight_syncs": self.laststep_syncs}, path)


class AttestedColocateWorker(LaststepVerlWorker):
    """The same in a run that trains: the hooks have it attested, by the recipe that the engine was started with."""

    def laststep_begin_own(self) -> str:
        """`laststep_begin` by the recipe that this engine was started with, by none where it quantizes nothing."""
        recipe = getattr(self.vllm_config.quant_config, "recipe", None)
        return self.laststep_begin(recipe.to_dict() if isinstance(recipe, Recipe) else None)
