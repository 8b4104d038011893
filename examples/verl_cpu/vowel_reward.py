"""The reward: the share of vowels among an answer's letters. A random model earns some, and can learn to earn more.

verl loads it by path (`reward.custom_reward_function.path`). With `LASTSTEP_REWARD_GATE=FILE` it waits while FILE
exists: a reward function that never returns, to order and to release.
"""

from __future__ import annotations

import os
import time
from typing import Any

GATE_VARIABLE = "LASTSTEP_REWARD_GATE"
VOWELS = frozenset("aeiouAEIOU")


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None, **_named: Any
) -> float:
    """A score from 0 to 1."""
    gate = os.environ.get(GATE_VARIABLE, "")
    while gate and os.path.exists(gate):
        time.sleep(0.1)
    letters = [letter for letter in solution_str if letter.isalpha()]
    return sum(letter in VOWELS for letter in letters) / len(letters) if letters else 0.0
