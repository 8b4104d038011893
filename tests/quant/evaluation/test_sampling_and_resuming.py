"""Several generations a row with seeds of their own; an evaluation that was stopped goes on, and proves every part."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from quant.errors import EvaluationError
from quant.evaluation import EvaluationRequest, Generation, Sample, Sampling, evaluate
from quant.evaluation.run import attempt_seed
from quant.recipe import Recipe
from quant.verification import refusals
from tests.quant.test_evaluation import ROWS, TinyEngine, changed, request_, stored

pytestmark = pytest.mark.torch
__all__ = ["request_"]

DRAWN = Sampling(temperature=1.0, n=3, seed=5)


class Drawing(TinyEngine):
    """Draws its answers; stops after so many generations."""

    def __init__(self, stop_after: int = 10**9) -> None:
        super().__init__()
        self.stop_after = stop_after

    def sample(self, module: Any, samples: list[Sample], sampling: Sampling) -> list[Generation]:
        if self.generated >= self.stop_after:
            raise KeyboardInterrupt
        if sampling.greedy:
            return self.generate(module, samples)
        assert all(sample.seed is not None for sample in samples)
        answers = self.generate(module, samples)
        draws = [torch.Generator().manual_seed(sample.seed or 0) for sample in samples]
        return [
            replace(answer, output=f"class {int(torch.randint(12, (1,), generator=draw))}")
            for answer, draw in zip(answers, draws)
        ]


def lines_of(request: EvaluationRequest) -> list[dict[str, Any]]:
    """The dump."""
    return [json.loads(line) for line in request.dump_path.read_text().splitlines()]


def silent(done: int, total: int) -> None:
    """No progress shown."""


def test_each_attempt_has_its_own_recorded_seed_that_depends_on_nothing_else(request_: EvaluationRequest) -> None:
    request = changed(request_, sampling=DRAWN)
    result = evaluate(Drawing(), request, silent)
    lines = lines_of(request)
    assert result.rows == result.rows_expected == len(lines) == 3 * ROWS
    assert [line["attempt"] for line in lines[:4]] == [0, 1, 2, 0]
    assert all(line["seed"] == attempt_seed(5, line["uid"], line["attempt"]) for line in lines)
    assert len({line["seed"] for line in lines}) == 3 * ROWS
    assert result.attestation["sampling"]["seed"] == 5
    assert result.interval is not None and result.interval.low < result.value < result.interval.high


def test_the_same_seed_gives_the_same_dump_and_another_gives_another(request_: EvaluationRequest) -> None:
    dumps = []
    for seed in (5, 5, 6):
        request = changed(request_, sampling=replace(DRAWN, seed=seed))
        evaluate(Drawing(), request, silent)
        dumps.append(request.dump_path.read_bytes())
    assert dumps[0] == dumps[1] != dumps[2]


def test_a_greedy_engine_asked_to_sample_is_refused(request_: EvaluationRequest) -> None:
    with pytest.raises(EvaluationError, match="the engine `tiny` can't sample"):
        evaluate(TinyEngine(), changed(request_, sampling=DRAWN), silent)


@pytest.mark.parametrize(
    "words", [{"n": 4}, {"n": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"max_tokens": 0}]
)
def test_a_sampling_that_can_not_be_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(EvaluationError) as caught:
        Sampling(**words)
    assert caught.value.HELP_TEXT


def stopped(request: EvaluationRequest, after: int) -> Drawing:
    """An evaluation that was stopped."""
    engine = Drawing(stop_after=after)
    with pytest.raises(KeyboardInterrupt):
        evaluate(engine, request, silent)
    assert not request.dump_path.exists()
    return engine


def test_a_stopped_evaluation_goes_on_where_a_segment_ended_and_its_dump_is_the_same(
    request_: EvaluationRequest, tmp_path: Path
) -> None:
    request = changed(request_, sampling=DRAWN, segment_rows=8)
    evaluate(Drawing(), changed(request, dump_path=tmp_path / "whole" / "29.jsonl"), silent)
    stopped(request, after=20)
    engine, progress = Drawing(), []
    result = evaluate(engine, request, lambda done, total: progress.append(done))
    assert progress[0] == 16 and engine.generated == 3 * ROWS - 16
    assert request.dump_path.read_bytes() == (tmp_path / "whole" / "29.jsonl").read_bytes()
    assert [path.name for path in request.dump_path.parent.iterdir()] == ["29.jsonl"]
    assert len(result.attestation["segments"]) == 4


def test_every_segment_is_proved_and_one_that_is_not_refuses_the_whole(request_: EvaluationRequest) -> None:
    request = changed(request_, segment_rows=4)
    result = evaluate(Drawing(), request, silent)
    asked = {"recipe": Recipe("test").to_dict(), **stored(request)}
    assert refusals(result.attestation, **asked) == ()
    broken = json.loads(json.dumps(result.attestation))
    broken["segments"][0]["layers"]["first"]["calls"] = 0
    assert "the attestation was changed after it was made" in refusals(broken, **asked)
    from quant.verification import document_sha256

    broken["segments"][0]["sha256"] = document_sha256(broken["segments"][0])
    broken["sha256"] = document_sha256(broken)
    assert "segment 1: not used during the evaluation: first" in refusals(broken, **asked)


@pytest.mark.parametrize("change", ["seed", "recipe", "data", "checkpoint"])
def test_segments_of_another_evaluation_are_not_gone_on_with(change: str, request_: EvaluationRequest) -> None:
    request = changed(request_, sampling=DRAWN, segment_rows=8)
    stopped(request, after=20)
    if change == "seed":
        request = changed(request, sampling=replace(DRAWN, seed=6))
    elif change == "recipe":
        request = changed(request, recipe=Recipe("other", scale_rule="floor"))
    elif change == "data":
        request.validation_file.write_text(request.validation_file.read_text().replace('"label": 1}', '"label": 2}'))
    else:
        shard = request.checkpoint / "actor" / "model_world_size_1_rank_0.pt"
        weights = torch.load(shard, weights_only=True)
        weights["first.bias"] += 1
        torch.save(weights, shard)
    engine = Drawing()
    evaluate(engine, request, silent)
    assert engine.generated == 3 * ROWS


def test_a_torn_segment_file_is_evaluated_again(request_: EvaluationRequest) -> None:
    request = changed(request_, sampling=DRAWN, segment_rows=8)
    stopped(request, after=20)
    (segments,) = list(request.dump_path.parent.iterdir())
    segments.write_bytes(segments.read_bytes()[:-100])
    engine = Drawing()
    evaluate(engine, request, silent)
    assert engine.generated == 3 * ROWS
