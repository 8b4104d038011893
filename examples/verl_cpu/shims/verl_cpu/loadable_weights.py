"""A plugin of vLLM (`vllm.general_plugins`): on a CPU, linear layers keep weights that can be loaded again.

vLLM packs them for oneDNN otherwise and drops the originals; the first weight sync of the trainer then dies
(`'Parameter' object has no attribute 'weight_loader'`) and the trainer waits for it for good. With
`VERL_CPU_PACKED_WEIGHTS=1` vLLM stays as it is: a real hang in the weight sync, to order.
"""

from __future__ import annotations

import os
from typing import Any

PACKED_VARIABLE = "VERL_CPU_PACKED_WEIGHTS"


def register() -> None:
    """Runs in every process of vLLM: the server, the engine core, the workers."""
    if os.environ.get(PACKED_VARIABLE) == "1":
        return
    import torch
    import vllm.model_executor.layers.utils as layer_utils

    def plain_linear(layer: Any, remove_weight: bool) -> None:
        layer.cpu_linear = torch.nn.functional.linear

    layer_utils.dispatch_cpu_unquantized_gemm = plain_linear
