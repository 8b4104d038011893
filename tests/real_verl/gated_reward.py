"""The examples' reward behind a gate: it does not return until it is let. verl loads it by its path."""

from __future__ import annotations

from typing import Any

from examples.verl_cpu import vowel_reward
from tests.real_verl import gates


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None, **named: Any
) -> float:
    """The share of vowels."""
    if gates.is_shut("reward", extra_info):
        gates.wait_for_lock("reward")
    return vowel_reward.compute_score(data_source, solution_str, ground_truth, extra_info, **named)
