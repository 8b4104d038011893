"""vLLM's entry point (`vllm.general_plugins`): runs in every process of vLLM, front end, engine core and workers.

It makes `quantization="laststep_mxfp4"` and `quantization="laststep_nvfp4"` known. Another recipe than the format's own
comes with `hf_overrides={"quantization_config": {"quant_method": "laststep_mxfp4", "recipe": {...}}}`. It imports
vLLM only inside the function, and a failure raises: an engine must never start unquantized instead. Covers also whether
vLLM will find it here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

from quant.errors import EvaluationError

GROUP, TARGET = "vllm.general_plugins", "quant.vllm_plugin:register"


def register() -> None:
    """Registers both, once for each process; vLLM may call it again."""
    from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS, register_quantization_config

    from quant.vllm.config import CONFIGS

    for config in CONFIGS:
        if config.method not in QUANTIZATION_METHODS:
            register_quantization_config(config.method)(config)


def check_visible(points: Iterable[EntryPoint] | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Raises `EvaluationError` where vLLM, started from here, would not load this plugin; before any engine starts.

    `points`: the entry points of vLLM's group, those installed where None. `environment`: whose `VLLM_PLUGINS` counts.
    """
    found = entry_points(group=GROUP) if points is None else points
    names = {point.name for point in found if point.value == TARGET}
    if not names:
        raise EvaluationError(
            f"vLLM would not know laststep's quantization: no installed package has the entry point {TARGET}",
            f"install laststep into vLLM's environment (`pip install laststep`), so that {GROUP} has it",
        )
    allowed = (os.environ if environment is None else environment).get("VLLM_PLUGINS")
    if allowed is not None and not names & {name.strip() for name in allowed.split(",")}:
        raise EvaluationError(
            f"vLLM would not load laststep's plugin: VLLM_PLUGINS is `{allowed}`",
            f"add `{sorted(names)[0]}` to VLLM_PLUGINS, or unset it",
        )
