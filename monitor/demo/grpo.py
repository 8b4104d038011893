"""Group relative policy optimization in its plainest form: a clipped ratio, a few epochs of a few mini-batches.

Covers the arithmetic on tensors. Who samples, scores and holds the weights is elsewhere; advantages are `samples.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from monitor.demo import arithmetic
from monitor.demo.samples import Trajectory

LEARNING_RATE = 1e-3
EPOCHS = 4
MINI_BATCHES = 3
CLIP_RATIO = 0.2
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Packed:
    """Trajectories as tensors: token ids, and over predicted positions which of them the loss is about."""

    tokens: Any
    mask: Any


def pack(trajectories: Sequence[Trajectory]) -> Packed:
    """Prompts and responses, padded to the context."""
    tokens = torch.full((len(trajectories), arithmetic.CONTEXT_TOKENS), arithmetic.PAD)
    mask = torch.zeros(len(trajectories), arithmetic.CONTEXT_TOKENS - 1)
    for index, trajectory in enumerate(trajectories):
        begin = len(trajectory.prompt_tokens)
        end = begin + len(trajectory.tokens)
        tokens[index, :end] = torch.tensor(trajectory.prompt_tokens + trajectory.tokens)
        mask[index, begin - 1 : end - 1] = 1.0
    return Packed(tokens, mask)


def log_probabilities(model: Any, tokens: Any) -> Any:
    """Log-probability of each token after the first, given those before it."""
    return model(tokens)[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)


def policy_loss(new: Any, old: Any, advantages: Any, mask: Any) -> Any:
    """The clipped surrogate, averaged over response tokens."""
    ratio = (new - old).exp()
    weight = advantages[:, None]
    surrogate = torch.minimum(ratio * weight, ratio.clamp(1 - CLIP_RATIO, 1 + CLIP_RATIO) * weight)
    return -(surrogate * mask).sum() / mask.sum()


def update(model: Any, optimizer: Any, packed: Packed, old: Any, advantages: Sequence[float]) -> dict[str, float]:
    """All epochs over one batch; the last mini-batch's loss and gradient norm."""
    weight = torch.tensor(advantages)
    loss = norm = torch.zeros(())
    for _ in range(EPOCHS):
        for rows in torch.arange(len(advantages)).chunk(MINI_BATCHES):
            new = log_probabilities(model, packed.tokens[rows])
            loss = policy_loss(new, old[rows], weight[rows], packed.mask[rows])
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
            optimizer.step()
    return {"actor/pg_loss": loss.item(), "actor/grad_norm": norm.item()}
