"""vLLM's entry point (`vllm.general_plugins`): runs in every process of vLLM, front end, engine core and workers.

It makes `quantization="laststep_mxfp4"` and `quantization="laststep_nvfp4"` known. Another recipe than the format's own
comes with `hf_overrides={"quantization_config": {"quant_method": "laststep_mxfp4", "recipe": {...}}}`. Covers nothing
else; it imports vLLM only inside the function, and a failure raises: an engine must never start unquantized instead.
"""

from __future__ import annotations


def register() -> None:
    """Registers both, once for each process; vLLM may call it again."""
    from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS, register_quantization_config

    from quant.vllm.config import CONFIGS

    for config in CONFIGS:
        if config.method not in QUANTIZATION_METHODS:
            register_quantization_config(config.method)(config)
