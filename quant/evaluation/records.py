"""What goes into an evaluation and what comes out: samples, generations, the request, the result. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quant.errors import EvaluationError
from quant.evaluation.interval import Interval
from quant.recipe import Recipe

UNQUANTIZED_DTYPE = "bfloat16"


@dataclass(frozen=True)
class Sample:
    """One row of the validation set; with several generations a row, one of them."""

    uid: str
    input: str
    ground_truth: Any
    data: dict[str, Any] = field(default_factory=dict)
    """Whatever else the engine needs of the row."""
    attempt: int = 0
    """Which of the row's generations."""
    seed: int | None = None
    """What it is sampled with; None: greedy."""


@dataclass(frozen=True)
class Generation:
    """What the model said to one sample."""

    output: str
    log_probability: float
    """The sum over the generated tokens."""
    tokens: int
    """Generated tokens."""
    prompt: str | None = None
    """The prompt as the model read it, where that is more than the sample's input."""
    prompt_tokens: int = 0


@dataclass(frozen=True)
class Sampling:
    """How generations are drawn. Greedy where the temperature is 0."""

    temperature: float = 0.0
    top_p: float = 1.0
    n: int = 1
    """Generations a row."""
    seed: int = 0
    """Each generation's own seed follows from this one, the row's uid and the attempt."""
    max_tokens: int = 1024

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and 0 < self.top_p <= 1 and self.n >= 1 and self.max_tokens >= 1):
            raise EvaluationError(
                f"no generation can be drawn with {self}", "temperature >= 0, 0 < top_p <= 1, n and max_tokens >= 1"
            )
        if self.n > 1 and not self.temperature:
            raise EvaluationError(
                f"{self.n} greedy generations of a row are all the same", "give a temperature, or n = 1"
            )

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return not self.temperature


GREEDY = Sampling()


@dataclass(frozen=True)
class EvaluationRequest:
    """What to evaluate, on what, and how."""

    checkpoint: Path
    start_model: Path | None
    validation_file: Path
    recipe: Recipe | None
    """None: unquantized, in bfloat16."""
    step: int
    dump_path: Path
    metric: str
    sampling: Sampling = GREEDY
    segment_rows: int | None = None
    """Generations after which an attestation is closed and kept, so that a stopped evaluation can go on from there."""

    @property
    def dtype(self) -> str:
        """What the weights are loaded as."""
        return self.recipe.dtype if self.recipe is not None else UNQUANTIZED_DTYPE


@dataclass(frozen=True)
class EvaluationResult:
    """The metric's mean over every generation, and the proof of how it came about."""

    value: float
    rows: int
    rows_expected: int
    attestation: dict[str, Any]
    dump_path: Path
    interval: Interval | None = None
    """Where the mean over all such rows lies, as far as these tell; None for fewer than two rows."""
