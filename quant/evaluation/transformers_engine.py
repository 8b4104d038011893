"""The engine `transformers`: the reference, without a server; every layer is torch's own, and the recipe sits in it.

Covers greedy and sampled generation in one padded batch shape, so that rows don't depend on who shares their batch.
Slow: for small models, and to check faster engines against. Imports transformers inside its functions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from quant.evaluation import hugging_face, validation_set
from quant.evaluation.records import Generation, Sample, Sampling


class TransformersEngine:
    """A Hugging Face causal language model in this process."""

    name = "transformers"
    OPTIONS: ClassVar[dict[str, Any]] = {"reward": str, "batch_rows": int}

    def __init__(self, reward: str | None = None, batch_rows: int = 8) -> None:
        self.batch_rows = batch_rows
        self._reward_name = reward
        self._reward: Any = None
        self._tokenizer: Any = None

    def read_samples(self, path: Path) -> list[Sample]:
        """The rows; and the reward function, whose absence shows before any work."""
        self._reward = validation_set.load_reward(self._reward_name)
        return validation_set.read_samples(path)

    def load(self, checkpoint: Path, dtype: str) -> Any:
        """The unquantized model. Raises `WeightsError` unless the checkpoint is whole."""
        import torch
        from transformers import AutoModelForCausalLM

        from quant.checkpoint import read_weights

        config = hugging_face.check(checkpoint)
        self._tokenizer = hugging_face.load_tokenizer(checkpoint)
        wanted = getattr(torch, dtype)
        model = AutoModelForCausalLM.from_config(config, dtype=wanted, attn_implementation="eager")
        missing = model.load_state_dict(read_weights(checkpoint), strict=False).missing_keys
        assert not missing or config.tie_word_embeddings
        return model.to(wanted)

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        """Greedy."""
        return self.sample(module, samples, Sampling())

    def sample(self, module: Any, samples: list[Sample], sampling: Sampling) -> list[Generation]:
        """One generation a sample: token by token, the whole batch at once."""
        import torch

        prompts = [validation_set.prompt_tokens(self._tokenizer, sample) for sample in samples]
        rows = [_Row(prompt, sample.seed) for prompt, sample in zip(prompts, samples)]
        filler = [_Row([0]) for _ in range(self.batch_rows - len(rows))]
        ends = {self._tokenizer.eos_token_id, *_as_list(module.generation_config.eos_token_id)}
        with torch.no_grad():
            _decode(module, [*rows, *filler], sampling, ends)
        return [
            Generation(
                output=self._tokenizer.decode(row.tokens, skip_special_tokens=True),
                log_probability=row.log_probability,
                tokens=len(row.tokens),
                prompt=self._tokenizer.decode(row.prompt),
                prompt_tokens=len(row.prompt),
            )
            for row in rows
        ]

    def score(self, sample: Sample, generation: Generation) -> float:
        """By the reward function."""
        return validation_set.score(self._reward, sample, generation.output)


class _Row:
    """One generation as it grows."""

    def __init__(self, prompt: list[int], seed: int | None = None) -> None:
        import torch

        self.prompt = prompt
        self.tokens: list[int] = []
        self.log_probability = 0.0
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def choose(self, logits: Any, sampling: Sampling) -> int:
        """The next token; its log-probability under the model itself is added up."""
        import torch

        log_probabilities = logits.float().log_softmax(-1)
        if sampling.greedy:
            token = int(log_probabilities.argmax())
        else:
            weights = _nucleus((logits.float() / sampling.temperature).softmax(-1), sampling.top_p)
            token = int(torch.multinomial(weights.cpu(), 1, generator=self.generator))
        self.tokens.append(token)
        self.log_probability += float(log_probabilities[token])
        return token


def _nucleus(probabilities: Any, top_p: float) -> Any:
    """The likeliest tokens whose probabilities reach `top_p` together; the rest 0."""
    ordered, order = probabilities.sort(descending=True)
    ordered[ordered.cumsum(-1) - ordered >= top_p] = 0
    return probabilities.new_zeros(probabilities.shape).scatter_(-1, order, ordered)


def _decode(module: Any, rows: list[_Row], sampling: Sampling, ends: set[int | None]) -> None:
    """Prompts padded on the left, then one token a step for all rows, finished ones too, until each has ended."""
    import torch

    length = max(len(row.prompt) for row in rows)
    tokens = torch.tensor([[0] * (length - len(row.prompt)) + row.prompt for row in rows], device=module.device)
    mask = torch.tensor(
        [[0] * (length - len(row.prompt)) + [1] * len(row.prompt) for row in rows], device=tokens.device
    )
    alive = [len(row.prompt) > 0 for row in rows]
    cache: Any = None
    for _ in range(sampling.max_tokens):
        places = (mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        answer = module(
            input_ids=tokens, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True
        )
        cache = answer.past_key_values
        following = [0] * len(rows)
        for index, row in enumerate(rows):
            if alive[index]:
                following[index] = row.choose(answer.logits[index, -1], sampling)
                alive[index] = following[index] not in ends
        if not any(alive):
            return
        tokens = torch.tensor(following, device=tokens.device)[:, None]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)


def _as_list(value: Any) -> list[int]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [int(value)]
