"""The demo's task: arithmetic modulo 10 on two digits, scored by rule. Prompts, tokens, score and the validation set.

`7*8=` wants `6`, the result's last digit, and then the end. A model that knows only the form is right one time in ten.
Imports no torch: agent loops and the driver need none.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

DATA_SOURCE = "arithmetic"
VOCABULARY = "0123456789+-*="
PAD = len(VOCABULARY)
END = PAD + 1
VOCABULARY_SIZE = END + 1
PROMPT_TOKENS = 4
RESPONSE_TOKENS = 4
CONTEXT_TOKENS = PROMPT_TOKENS + RESPONSE_TOKENS
VALIDATION_SAMPLES = 256
VALIDATION_SEED = 20


@dataclass(frozen=True)
class Problem:
    """One prompt and its ground truth."""

    uid: str
    prompt: str
    ground_truth: str


def all_problems() -> tuple[Problem, ...]:
    """Every problem of the task: three operators on two digits."""
    problems = []
    for operator in "+-*":
        for left in range(10):
            for right in range(10):
                result = {"+": left + right, "-": left - right, "*": left * right}[operator] % 10
                prompt = f"{left}{operator}{right}="
                problems.append(Problem(f"p{len(problems):03d}", prompt, str(result)))
    return tuple(problems)


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
