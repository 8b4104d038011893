"""Group relative policy optimization, in its plainest form: advantages within a prompt's group, a clipped ratio.

Covers the arithmetic on tensors. Who samples, scores and holds the weights is elsewhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from monitor.demo import arithmetic

CLIP_RATIO = 0.2
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Trajectories:
    """Sampled responses as tensors: token ids, and which of them the loss is about."""

    tokens: Any
    response_mask: Any


def pack(prompts: Sequence[list[int]], responses: Sequence[list[int]]) -> Trajectories:
    """Prompts and responses, padded to the context; the mask is over predicted positions."""
    tokens = torch.full((len(prompts), arithmetic.CONTEXT_TOKENS), arithmetic.PAD)
    mask = torch.zeros(len(prompts), arithmetic.CONTEXT_TOKENS - 1)
    for index, (prompt, response) in enumerate(zip(prompts, responses)):
        end = len(prompt) + len(response)
        tokens[index, :end] = torch.tensor(prompt + response)
        mask[index, len(prompt) - 1 : end - 1] = 1.0
    return Trajectories(tokens, mask)


def token_log_probabilities(model: Any, tokens: Any) -> Any:
    """Log-probability of each token after the first, given those before it."""
    log_probabilities = model(tokens)[:, :-1].log_softmax(-1)
    return log_probabilities.gather(-1, tokens[:, 1:, None]).squeeze(-1)


def group_advantages(groups: Sequence[str], rewards: Sequence[float]) -> list[float]:
    """Each reward against its own group's mean, in units of the group's spread; 0 where a group agrees."""
    members: dict[str, list[float]] = {}
    for group, reward in zip(groups, rewards):
        members.setdefault(group, []).append(reward)
    return [
        (reward - statistics.fmean(members[group])) / (statistics.pstdev(members[group]) + 1e-6)
        for group, reward in zip(groups, rewards)
    ]


def policy_loss(log_probabilities: Any, old_log_probabilities: Any, advantages: Any, mask: Any) -> Any:
    """The clipped surrogate, averaged over response tokens."""
    ratio = (log_probabilities - old_log_probabilities).exp()
    weight = advantages[:, None]
    surrogate = torch.minimum(ratio * weight, ratio.clamp(1 - CLIP_RATIO, 1 + CLIP_RATIO) * weight)
    return -(surrogate * mask).sum() / mask.sum()
