"""verl's own extension of vLLM's worker with laststep's attestation beside it: nothing of verl's is changed by it.

`actor_rollout_ref.rollout.engine_kwargs.vllm.worker_extension_cls=quant.vllm.verl_worker.LaststepVerlWorker`. Imports
verl and vLLM, so only vLLM's worker imports it.
"""

from __future__ import annotations

from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension

from quant.vllm.worker import LaststepWorker


class LaststepVerlWorker(vLLMColocateWorkerExtension, LaststepWorker):
    """Takes weights as verl's does, and attests as laststep's does."""
