"""verl without TRL: one of verl's external modules (`VERL_USE_EXTERNAL_MODULES`), imported in each of its processes.

verl 0.9.1 takes an installed TRL for one that has `AutoModelForCausalLMWithValueHead`, for critics that nobody has
here; TRL 1.16 has it no more, and the workers die of that. The environment holds TRL for runs of its own trainer.
"""

from __future__ import annotations

from verl.utils import import_utils


def is_trl_available() -> bool:
    """No."""
    return False


import_utils.is_trl_available = is_trl_available
