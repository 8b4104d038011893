"""The evaluation itself: every row of the validation set, once or n times, between the opening and closing of an
attestation.

Greedy and on one thread, in one fixed batch shape, a second evaluation is equal sample by sample. Covers no engine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from quant.errors import EvaluationError
from quant.evaluation.dump import Segments, line, write_dump
from quant.evaluation.engines import HostedModel
from quant.evaluation.interval import interval
from quant.evaluation.records import EvaluationRequest, EvaluationResult, Generation, Sample, Sampling
from quant.verification import document_sha256

Progress = Callable[[int, int], None]


def evaluate(engine: Any, request: EvaluationRequest, progress: Progress) -> EvaluationResult:
    """Every row of the validation set. `progress(done, total)` after each batch, first with what is done already.

    `engine`: an `EvaluationEngine`, `SamplingEngine` or `HostedEngine`. Raises `EvaluationError`, or another
    `QuantError`; then there is no dump.
    """
    attempts = list(_attempts(_samples(engine, request), request.sampling))
    fingerprints = _fingerprints(request)
    segments = Segments(request, fingerprints.checkpoint)
    opened = engine.open(request) if hasattr(engine, "open") else _module(engine, request)
    if len(segments.lines) < len(attempts):
        with opened as model:
            _generate(engine, model, attempts, request, segments, fingerprints, progress)
    value = math.fsum(each["score"] for each in segments.lines) / len(segments.lines)
    write_dump(request.dump_path, segments.lines)
    segments.finish()
    scores: dict[str, list[float]] = {}
    for each in segments.lines:
        scores.setdefault(each["uid"], []).append(each["score"])
    return EvaluationResult(
        value,
        len(segments.lines),
        len(attempts),
        _joined(segments.documents),
        request.dump_path,
        interval(scores),
    )


def _generate(
    engine: Any,
    model: HostedModel,
    attempts: list[Sample],
    request: EvaluationRequest,
    segments: Segments,
    fingerprints: _Fingerprints,
    progress: Progress,
) -> None:
    """The segments that are still missing."""
    progress(len(segments.lines), len(attempts))
    size = request.segment_rows or len(attempts)
    while len(segments.lines) < len(attempts):
        begin = len(segments.lines)
        _check_weights(model.begin(), fingerprints)
        lines: list[dict[str, Any]] = []
        tokens = 0
        for first in range(begin, min(begin + size, len(attempts)), engine.batch_rows):
            batch = attempts[first : min(first + engine.batch_rows, begin + size)]
            generations = model.generate(batch, request.sampling)
            lines += _lines(engine, batch, generations, request.step)
            tokens += sum(each.prompt_tokens + max(each.tokens - 1, 0) for each in generations)
            progress(begin + len(lines), len(attempts))
        facts = {
            "checkpoint_fingerprint": fingerprints.checkpoint,
            "checkpoint_fingerprint_stored": fingerprints.checkpoint_stored,
            "start_fingerprint": fingerprints.start,
            "start_fingerprint_stored": fingerprints.start_stored,
            "weights_step": request.step,
            "sampling": vars(request.sampling),
            "tokens": tokens,
        }
        segments.add(lines, model.close(facts))


def _joined(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The last segment's attestation with the earlier ones inside."""
    if len(documents) == 1:
        return documents[0]
    document = {**documents[-1], "segments": documents[:-1]}
    return {**document, "sha256": document_sha256(document)}


@contextmanager
def _module(engine: Any, request: EvaluationRequest) -> Iterator[HostedModel]:
    """The engine's module with the recipe in it, on one thread, as a hosted model."""
    import torch

    from quant.layers import apply_recipe, frozen_weights, remove

    if not request.sampling.greedy and not hasattr(engine, "sample"):
        raise EvaluationError(f"the engine `{engine.name}` can't sample", "temperature 0, or another engine")
    with _one_thread(), torch.no_grad():
        module = engine.load(request.checkpoint, request.dtype).eval()
        remove(module)
        if request.recipe is not None:
            apply_recipe(module, request.recipe)
        with frozen_weights(module):
            yield _OwnModule(engine, module, request)


class _OwnModule:
    """A module in this process, attested by `quant.attestation`."""

    def __init__(self, engine: Any, module: Any, request: EvaluationRequest) -> None:
        self._engine, self._module, self._request = engine, module, request
        self._opening: Any = None

    def begin(self) -> str:
        """Open the attestation."""
        from quant import attestation

        self._opening = attestation.begin(self._module, self._request.recipe)
        return str(self._opening.fingerprint)

    def generate(self, samples: list[Sample], sampling: Sampling) -> list[Generation]:
        """Of an engine that can't sample: greedy."""
        if hasattr(self._engine, "sample"):
            return list(self._engine.sample(self._module, samples, sampling))
        return list(self._engine.generate(self._module, samples))

    def close(self, facts: dict[str, Any]) -> dict[str, Any]:
        """The attestation."""
        from quant import attestation

        counted = {key: value for key, value in facts.items() if key != "tokens"}
        return attestation.close(self._module, self._opening, facts=counted)


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

    with _one_thread():
        weights = read_weights(request.checkpoint)
        checkpoint, stored = fingerprint(weights, dtype=request.dtype), fingerprint(weights)
        if request.start_model is None:
            return _Fingerprints(checkpoint, stored, None, None)
        weights = read_weights(request.start_model)
        return _Fingerprints(checkpoint, stored, fingerprint(weights, dtype=request.dtype), fingerprint(weights))


def _check_weights(loaded: str, expected: _Fingerprints) -> None:
    """Before the first sample, since no sample of other weights is worth its time."""
    if loaded != expected.checkpoint:
        raise EvaluationError("the engine loaded other weights than the checkpoint's", "the engine's `load` is wrong")
    if loaded == expected.start:
        raise EvaluationError("the checkpoint's weights are those of the start model", "was this model trained at all?")


def _samples(engine: Any, request: EvaluationRequest) -> list[Sample]:
    try:
        samples: list[Sample] = engine.read_samples(request.validation_file)
    except EvaluationError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise EvaluationError(f"can't read the validation set {request.validation_file}: {error}") from error
    if not samples:
        raise EvaluationError(f"the validation set {request.validation_file} is empty")
    return samples


def _attempts(samples: list[Sample], sampling: Sampling) -> Iterator[Sample]:
    """Each row as often as asked, every attempt with a seed of its own that depends on nothing else."""
    for sample in samples:
        for attempt in range(sampling.n):
            seed = None if sampling.greedy else attempt_seed(sampling.seed, sample.uid, attempt)
            yield dataclasses.replace(sample, attempt=attempt, seed=seed)


def attempt_seed(seed: int, uid: str, attempt: int) -> int:
    """31 bits that follow from the evaluation's seed, the row and the attempt."""
    digest = hashlib.sha256(f"{seed}\0{uid}\0{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _lines(engine: Any, batch: list[Sample], generations: list[Generation], step: int) -> Iterator[dict[str, Any]]:
    if len(generations) != len(batch):
        raise EvaluationError(f"the engine gave {len(generations)} generations for {len(batch)} samples")
    for sample, generation in zip(batch, generations):
        if not math.isfinite(generation.log_probability):
            raise EvaluationError(f"the log-probability of sample {sample.uid} is {generation.log_probability}")
        yield line(sample, generation, _score(engine, sample, generation), step)


def _score(engine: Any, sample: Sample, generation: Generation) -> float:
    try:
        score = float(engine.score(sample, generation))
    except Exception as error:  # Scores are made by the task's own code.
        raise EvaluationError(f"scoring sample {sample.uid} failed: {type(error).__name__}: {error}") from error
    if not math.isfinite(score):
        raise EvaluationError(f"the score of sample {sample.uid} is {score}")
    return score


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
