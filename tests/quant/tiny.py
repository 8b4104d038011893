"""A model small enough for any test, with what real ones have: nesting, biases or none, a ragged width, a head."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class TinyBlock(nn.Module):
    """Two linear layers around a nonlinearity, without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(48, 64, bias=False)
        self.down = nn.Linear(64, 48, bias=False)

    def forward(self, x: Any) -> Any:
        return x + self.down(torch.relu(self.up(x)))


class TinyModel(nn.Module):
    """40 numbers in, 12 classes out."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        before = torch.get_rng_state()
        torch.manual_seed(seed)
        self.first = nn.Linear(40, 48)
        self.block = TinyBlock()
        self.lm_head = nn.Linear(48, 12, bias=False)
        torch.set_rng_state(before)

    def forward(self, x: Any) -> Any:
        return self.lm_head(self.block(self.first(x)))
