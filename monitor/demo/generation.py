"""The one generation function of rollout, validation and rerun: a fixed padded batch, no cache, full precision logits.

A matrix product's rows depend on the batch's size: so every call runs `arithmetic.BATCH_ROWS` rows of
`CONTEXT_TOKENS` tokens, however few are asked for, and a rerun gives the same bits. Sampling is seeded row by row, so
that a training rollout doesn't depend on which requests came together.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from monitor.demo import arithmetic
from monitor.demo.arithmetic import BATCH_ROWS


@dataclass
class Row:
    """One request in the batch: its prompt, how to choose tokens, and what was generated so far."""

    prompt: list[int]
    seed: str | None = None
    """None: greedy. Else the seed of this row's sampling at temperature 1."""
    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """The end was generated, or there is no room for more."""
        return arithmetic.END in self.tokens or len(self.tokens) == arithmetic.RESPONSE_TOKENS

    @property
    def log_probability(self) -> float:
        """Of the whole response."""
        return sum(self.log_probabilities)


def decode_step(model: Any, rows: Sequence[Row]) -> None:
    """One engine iteration: one more token for each row that is not done."""
    if len(rows) > BATCH_ROWS:
        raise ValueError(f"{len(rows)} rows in a batch of {BATCH_ROWS}")
    tokens = torch.full((BATCH_ROWS, arithmetic.CONTEXT_TOKENS), arithmetic.PAD)
    for index, row in enumerate(rows):
        sequence = row.prompt + row.tokens
        tokens[index, : len(sequence)] = torch.tensor(sequence)
    with torch.no_grad():
        log_probabilities = model(tokens).float().log_softmax(-1)
    for index, row in enumerate(rows):
        if not row.done:
            position = len(row.prompt) + len(row.tokens) - 1
            choices: list[float] = log_probabilities[index, position].tolist()
            token = _choose(choices, row)
            row.tokens.append(token)
            row.log_probabilities.append(choices[token])


def generate_batch(model: Any, rows: Sequence[Row]) -> None:
    """Decode a batch to its end."""
    while not all(row.done for row in rows):
        decode_step(model, rows)


def _choose(log_probabilities: list[float], row: Row) -> int:
    if row.seed is None:
        return max(range(len(log_probabilities)), key=log_probabilities.__getitem__)
    draw = random.Random(f"{row.seed}/{len(row.tokens)}").random()
    below = 0.0
    for token, log_probability in enumerate(log_probabilities):
        below += math.exp(log_probability)
        if draw < below:
            return token
    return arithmetic.END
