"""Scores a checkpoint on a validation set, with the quantization it was trained with, and attests to it.

Covers the engine's interface, the evaluation and its dump (verl's keys, with uid and log-probability of each sample).
Greedy, one thread, one fixed batch shape: a second evaluation is equal sample by sample. Does not cover where it runs,
and judges no attestation (`quant.verification`). Importing it imports no torch.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from quant.errors import EvaluationError
from quant.recipe import Recipe

PLANNED_ENGINES = ("vllm", "transformers")
UNQUANTIZED_DTYPE = "bfloat16"


@dataclass(frozen=True)
class Sample:
    """One row of the validation set."""

    uid: str
    input: str
    ground_truth: Any
    data: dict[str, Any] = field(default_factory=dict)
    """Whatever else the engine needs of the row."""


@dataclass(frozen=True)
class Generation:
    """What the model said to one sample."""

    output: str
    log_probability: float
    """The sum over the generated tokens."""
    tokens: int


class EvaluationEngine(Protocol):
    """Who loads a model and generates with it; one for each kind of trainer."""

    name: str
    batch_rows: int
    """Rows of each product: the engine pads the last batch up to it."""

    def load(self, checkpoint: Path, dtype: str) -> Any:
        """The unquantized `nn.Module` with the weights of `global_step_N` or of a start model's folder."""
        ...

    def read_samples(self, path: Path) -> list[Sample]:
        """The validation set, in its order."""
        ...

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        """Greedy, one generation a sample, in order; at most `batch_rows` samples."""
        ...

    def score(self, sample: Sample, generation: Generation) -> float:
        """By rule."""
        ...


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

    @property
    def dtype(self) -> str:
        """What the weights are loaded as."""
        return self.recipe.dtype if self.recipe is not None else UNQUANTIZED_DTYPE


@dataclass(frozen=True)
class EvaluationResult:
    """The metric's mean over every sample, and the proof of how it came about."""

    value: float
    rows: int
    rows_expected: int
    attestation: dict[str, Any]
    dump_path: Path


def load_engine(name: str) -> EvaluationEngine:
    """The engine at `package.module:attribute`. Raises `EvaluationError`."""
    if name in PLANNED_ENGINES:
        raise EvaluationError(f"the engine `{name}` is not built yet", "name one as package.module:attribute")
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise EvaluationError(f"`{name}` names no engine", "name it as package.module:attribute")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # The module may be anyone's, and may fail in any way while it is imported.
        raise EvaluationError(
            f"can't import the engine's module `{module_name}`: {type(error).__name__}: {error}",
            "check the trainer profile's `evaluation_engine`",
        ) from error
    engine = getattr(module, attribute, None)
    if engine is None:
        raise EvaluationError(f"module `{module_name}` has no `{attribute}`", "check the profile's `evaluation_engine`")
    wanted = ("name", "batch_rows", "load", "read_samples", "generate", "score")
    missing = [word for word in wanted if not hasattr(engine, word)]
    if missing:
        raise EvaluationError(f"`{name}` is no evaluation engine: it has no `{missing[0]}`", "see EvaluationEngine")
    found: EvaluationEngine = engine
    return found


def evaluate(
    engine: EvaluationEngine, request: EvaluationRequest, progress: Callable[[int, int], None]
) -> EvaluationResult:
    """Every sample of the validation set, once. `progress(done, total)` after each batch, first with 0 done.

    Raises `EvaluationError`, or another `QuantError`; then there is no dump.
    """
    import torch

    from quant import attestation
    from quant.layers import apply_recipe, frozen_weights, remove

    samples = _samples(engine, request)
    with _one_thread(), torch.no_grad():
        fingerprints = _fingerprints(request)
        module = engine.load(request.checkpoint, request.dtype).eval()
        remove(module)
        if request.recipe is not None:
            apply_recipe(module, request.recipe)
        opening = attestation.begin(module, request.recipe)
        _check_weights(opening.fingerprint, fingerprints)
        with frozen_weights(module):
            lines = list(_lines(engine, module, samples, request, progress))
        document = attestation.close(
            module,
            opening,
            checkpoint_fingerprint=fingerprints.checkpoint,
            start_fingerprint=fingerprints.start,
            weights_step=request.step,
            stored=attestation.StoredFingerprints(fingerprints.checkpoint_stored, fingerprints.start_stored),
        )
    value = math.fsum(line["score"] for line in lines) / len(lines)
    _write_dump(request.dump_path, lines)
    return EvaluationResult(value, len(lines), len(samples), document, request.dump_path)


@dataclass(frozen=True)
class _Fingerprints:
    checkpoint: str
    checkpoint_stored: str
    start: str | None
    start_stored: str | None


def _fingerprints(request: EvaluationRequest) -> _Fingerprints:
    """Of checkpoint and start model, read from disk apart from the engine: as stored, and as the engine loads them."""
    from quant.checkpoint import read_weights
    from quant.fingerprint import fingerprint

    weights = read_weights(request.checkpoint)
    checkpoint, checkpoint_stored = fingerprint(weights, dtype=request.dtype), fingerprint(weights)
    if request.start_model is None:
        return _Fingerprints(checkpoint, checkpoint_stored, None, None)
    weights = read_weights(request.start_model)
    return _Fingerprints(checkpoint, checkpoint_stored, fingerprint(weights, dtype=request.dtype), fingerprint(weights))


def _check_weights(loaded: str, expected: _Fingerprints) -> None:
    """Before the first sample, since no sample of other weights is worth its time."""
    if loaded != expected.checkpoint:
        raise EvaluationError("the engine loaded other weights than the checkpoint's", "the engine's `load` is wrong")
    if loaded == expected.start:
        raise EvaluationError("the checkpoint's weights are those of the start model", "was this model trained at all?")


def _samples(engine: EvaluationEngine, request: EvaluationRequest) -> list[Sample]:
    try:
        samples = engine.read_samples(request.validation_file)
    except (OSError, ValueError, KeyError) as error:
        raise EvaluationError(f"can't read the validation set {request.validation_file}: {error}") from error
    if not samples:
        raise EvaluationError(f"the validation set {request.validation_file} is empty")
    return samples


def _lines(
    engine: EvaluationEngine,
    module: Any,
    samples: Sequence[Sample],
    request: EvaluationRequest,
    progress: Callable[[int, int], None],
) -> Iterator[dict[str, Any]]:
    """One line of the dump a sample."""
    progress(0, len(samples))
    for begin in range(0, len(samples), engine.batch_rows):
        batch = list(samples[begin : begin + engine.batch_rows])
        generations = engine.generate(module, batch)
        if len(generations) != len(batch):
            raise EvaluationError(f"the engine gave {len(generations)} generations for {len(batch)} samples")
        for sample, generation in zip(batch, generations):
            if not math.isfinite(generation.log_probability):
                raise EvaluationError(f"the log-probability of sample {sample.uid} is {generation.log_probability}")
            yield _line(sample, generation, _score(engine, sample, generation), request.step)
        progress(begin + len(batch), len(samples))


def _score(engine: EvaluationEngine, sample: Sample, generation: Generation) -> float:
    try:
        score = float(engine.score(sample, generation))
    except Exception as error:  # Scores are made by the task's own code.
        raise EvaluationError(f"scoring sample {sample.uid} failed: {type(error).__name__}: {error}") from error
    if not math.isfinite(score):
        raise EvaluationError(f"the score of sample {sample.uid} is {score}")
    return score


def _line(sample: Sample, generation: Generation, score: float, step: int) -> dict[str, Any]:
    return {
        "input": sample.input,
        "output": generation.output,
        "gts": sample.ground_truth,
        "score": score,
        "step": step,
        "log_probability": generation.log_probability,
        "uid": sample.uid,
    }


def _write_dump(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Whole or not at all: written beside its place, then renamed into it."""
    try:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    except TypeError as error:
        raise EvaluationError(
            f"a sample can't be written as JSON: {error}", "plain values in `ground_truth`"
        ) from error
    beside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        beside = Path(name)  # Made by us alone, so that nothing of anyone else's is ever removed below.
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        if beside is not None:
            with suppress(OSError):
                beside.unlink()
        raise EvaluationError(
            f"can't write the dump {path}: {error.strerror}", "free space or mend the folder"
        ) from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """The order of a sum depends on the number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
