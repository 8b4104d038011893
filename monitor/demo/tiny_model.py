"""The demo's model: a decoder of two layers that trains in seconds on one core, and its start weights.

Covers the network, its config file and the start model; checkpoints of a run are `checkpoints.py`.
"""

from __future__ import annotations

import dataclasses
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from monitor.demo import arithmetic

WEIGHTS_FILE = "model_world_size_1_rank_0.pt"
FORM_STEPS = 60
FORM_ROWS = 64
FORM_LEARNING_RATE = 3e-3


@dataclass(frozen=True)
class TinyConfig:
    """The network's sizes. Hidden sizes are multiples of the 32 elements of an MXFP4 block."""

    vocab_size: int = arithmetic.VOCABULARY_SIZE
    max_position_embeddings: int = arithmetic.CONTEXT_TOKENS
    hidden_size: int = 64
    intermediate_size: int = 128
    num_hidden_layers: int = 2
    num_attention_heads: int = 4


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden: Any) -> Any:
        """Mix the positions up to each one."""
        query, key, value = (self._split(projection(hidden)) for projection in (self.q_proj, self.k_proj, self.v_proj))
        length = hidden.shape[1]
        past = torch.ones(length, length, dtype=torch.bool).tril()
        weights = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).masked_fill(~past, float("-inf")).softmax(-1)
        return self.o_proj((weights @ value).transpose(1, 2).flatten(2))

    def _split(self, tensor: Any) -> Any:
        return tensor.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """Attention and a two-layer perceptron, each after a norm and around a residual."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(config.hidden_size)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, hidden: Any) -> Any:
        """One layer."""
        hidden = hidden + self.self_attn(self.input_layernorm(hidden))
        return hidden + self.down_proj(functional.gelu(self.up_proj(self.post_attention_layernorm(hidden))))


class TinyTransformer(nn.Module):
    """Token ids (rows, positions) to logits (rows, positions, vocabulary)."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.embed_positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, tokens: Any) -> Any:
        """Logits at every position."""
        hidden = self.embed_tokens(tokens) + self.embed_positions.weight[: tokens.shape[1]]
        for layer in self.layers:
            hidden = layer(hidden)
        return self.lm_head(self.norm(hidden))


def start_model(seed: int) -> TinyTransformer:
    """A model that knows the form of an answer (a digit, then the end) and no arithmetic: right one time in ten."""
    torch.manual_seed(seed)
    draw = random.Random(seed)
    model = TinyTransformer(TinyConfig())
    problems = arithmetic.all_problems()
    optimizer = torch.optim.Adam(model.parameters(), lr=FORM_LEARNING_RATE)
    for _ in range(FORM_STEPS):
        rows = [
            [*arithmetic.encode(problem.prompt), draw.randrange(10), arithmetic.END]
            for problem in draw.choices(problems, k=FORM_ROWS)
        ]
        tokens = torch.tensor(rows)
        logits = model(tokens[:, :-1])[:, arithmetic.PROMPT_TOKENS - 1 :]
        targets = tokens[:, arithmetic.PROMPT_TOKENS :]
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def write_config(directory: Path, config: TinyConfig) -> None:
    """`config.json`, as a model folder has it."""
    directory.mkdir(parents=True, exist_ok=True)
    document = {"architectures": [TinyTransformer.__name__], "model_type": "tiny", **dataclasses.asdict(config)}
    (directory / "config.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_config(directory: Path) -> TinyConfig:
    """The sizes from `config.json`."""
    document = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return TinyConfig(**{field.name: document[field.name] for field in dataclasses.fields(TinyConfig)})


def save_start_model(directory: Path, seed: int) -> None:
    """The start model's folder: config and weights."""
    model = start_model(seed)
    write_config(directory, model.config)
    torch.save(model.state_dict(), directory / WEIGHTS_FILE)


def load_model(weights: Path, config_directory: Path) -> TinyTransformer:
    """A model from a weights file and the folder that holds its config."""
    model = TinyTransformer(read_config(config_directory))
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model
