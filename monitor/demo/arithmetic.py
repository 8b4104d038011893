"""The demo's task: counting on by up to two, scored by rule. Prompts, tokens, score and the validation set.

`49+2=` wants `1`, the sum's last digit, and then the end. A model that knows only the form is right one time in ten.
Imports no torch: agent loops and the driver need none.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

DATA_SOURCE = "arithmetic"
VOCABULARY = "0123456789+="
PAD = len(VOCABULARY)
END = PAD + 1
VOCABULARY_SIZE = END + 1
PROMPT_TOKENS = 5
RESPONSE_TOKENS = 3
CONTEXT_TOKENS = PROMPT_TOKENS + RESPONSE_TOKENS
BATCH_ROWS = 16
"""Rows of every product of the rollout server and of a rerun: the same rows give the same bits."""

VALIDATION_SAMPLES = 256
VALIDATION_SEED = 20


@dataclass(frozen=True)
class Problem:
    """One prompt and its ground truth."""

    uid: str
    prompt: str
    ground_truth: str


def all_problems() -> tuple[Problem, ...]:
    """Every problem of the task."""
    pairs = [(number, addend) for number in range(100) for addend in range(3)]
    return tuple(
        Problem(f"p{index:03d}", f"{number:02d}+{addend}=", str((number + addend) % 10))
        for index, (number, addend) in enumerate(pairs)
    )


def encode(text: str) -> list[int]:
    """Tokens of a prompt: one a character."""
    return [VOCABULARY.index(character) for character in text]


def decode(tokens: list[int]) -> str:
    """Text of a response; the end and what follows it are left out."""
    kept = tokens[: tokens.index(END)] if END in tokens else tokens
    return "".join(VOCABULARY[token] if token < PAD else "?" for token in kept)


def score(response: str, ground_truth: str) -> float:
    """1 where the response is the answer and nothing else, else 0."""
    return float(response == ground_truth)


def training_batch(seed: int, step: int, size: int) -> list[Problem]:
    """The prompts of one step: a draw without repeats, the same for the same seed and step."""
    return random.Random(f"{seed}/{step}").sample(all_problems(), size)


def write_validation_set(path: Path) -> None:
    """The fixed validation set, as JSON lines."""
    drawn = random.Random(VALIDATION_SEED).sample(all_problems(), VALIDATION_SAMPLES)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for index, problem in enumerate(drawn):
            line = {
                "uid": f"v{index:03d}",
                "data_source": DATA_SOURCE,
                "prompt": problem.prompt,
                "ground_truth": problem.ground_truth,
            }
            file.write(json.dumps(line) + "\n")


def read_validation_set(path: Path) -> list[Problem]:
    """The validation set from its file."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [Problem(row["uid"], row["prompt"], row["ground_truth"]) for row in rows]
