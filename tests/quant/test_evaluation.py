"""Evaluation with a tiny engine: exact again and again, attested, and a mistake leaves one sentence and no dump."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from quant.errors import EvaluationError, QuantError, RecipeError, WeightsError
from quant.evaluation import EvaluationRequest, Generation, Sample, evaluate
from quant.fingerprint import fingerprint_checkpoint
from quant.layers import apply_recipe
from quant.recipe import Recipe
from quant.verification import refusals
from tests.quant.tiny import TinyModel

pytestmark = pytest.mark.torch

RECIPE = Recipe("test")
ROWS = 11


class TinyEngine:
    """Classifies numbers: 40 features of each, 12 classes, batches of 4 rows."""

    name = "tiny"
    batch_rows = 4

    def __init__(self) -> None:
        self.generated = 0
        self.threads: set[int] = set()

    def load(self, checkpoint: Path, dtype: str) -> Any:
        model = TinyModel(seed=7)
        model.load_state_dict(torch.load(checkpoint / "actor" / "model_world_size_1_rank_0.pt", weights_only=True))
        return model.to(getattr(torch, dtype))

    def read_samples(self, path: Path) -> list[Sample]:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return [Sample(row["uid"], str(row["number"]), row["label"], row) for row in rows]

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        self.generated += len(samples)
        self.threads.add(torch.get_num_threads())
        numbers = torch.tensor([sample.data["number"] for sample in samples] + [0] * (self.batch_rows - len(samples)))
        features = torch.sin(numbers[:, None] * torch.arange(1, 41) / 7.0).to(module.first.weight.dtype)
        logits = module(features).float().log_softmax(-1)
        best = logits.max(-1)
        return [Generation(f"class {best.indices[row]}", best.values[row].item(), 1) for row in range(len(samples))]

    def score(self, sample: Sample, generation: Generation) -> float:
        return float(generation.output == f"class {sample.ground_truth}")


@pytest.fixture
def request_(tmp_path: Path) -> EvaluationRequest:
    for folder, seed in (("global_step_29", 1), ("start", 0)):
        file = tmp_path / folder / "actor" / "model_world_size_1_rank_0.pt"
        file.parent.mkdir(parents=True)
        torch.save(TinyModel(seed).state_dict(), file)
    rows = [{"uid": f"v{index}", "number": index, "label": index % 12} for index in range(ROWS)]
    (tmp_path / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return EvaluationRequest(
        checkpoint=tmp_path / "global_step_29",
        start_model=tmp_path / "start",
        validation_file=tmp_path / "validation.jsonl",
        recipe=RECIPE,
        step=29,
        dump_path=tmp_path / "out" / "29.jsonl",
        metric="acc",
    )


def changed(request: EvaluationRequest, **changes: Any) -> EvaluationRequest:
    """The request with these fields changed."""
    return EvaluationRequest(**{**vars(request), **changes})


def run(request: EvaluationRequest, engine: TinyEngine | None = None) -> Any:
    """The result."""
    return evaluate(engine or TinyEngine(), request, lambda done, total: None)


def stored(request: EvaluationRequest) -> dict[str, str]:
    """The fingerprints as another process reads them from disk."""
    assert request.start_model is not None
    return {
        "checkpoint_fingerprint": fingerprint_checkpoint(request.checkpoint),
        "start_fingerprint": fingerprint_checkpoint(request.start_model),
    }


def test_every_sample_is_scored_dumped_and_attested(request_: EvaluationRequest) -> None:
    result = run(request_)
    lines = [json.loads(line) for line in request_.dump_path.read_text().splitlines()]
    assert (result.rows, result.rows_expected, result.dump_path) == (ROWS, ROWS, request_.dump_path)
    assert [line["uid"] for line in lines] == [f"v{index}" for index in range(ROWS)]
    assert set(lines[0]) == {"input", "output", "gts", "score", "step", "log_probability", "uid"}
    assert result.value == sum(line["score"] for line in lines) / ROWS
    assert refusals(result.attestation, recipe=RECIPE.to_dict(), **stored(request_)) == ()
    layer = result.attestation["layers"]["first"]
    assert (layer["calls"], layer["activation_rows"], result.attestation["weights_step"]) == (3, 12, 29)


def test_again_it_is_equal_byte_for_byte(request_: EvaluationRequest) -> None:
    run(request_)
    first = request_.dump_path.read_bytes()
    run(request_)
    assert request_.dump_path.read_bytes() == first


def test_unquantized_in_bfloat16_the_log_probabilities_differ_and_it_says_so(request_: EvaluationRequest) -> None:
    quantized = run(request_)
    before = [json.loads(line)["log_probability"] for line in request_.dump_path.read_text().splitlines()]
    result = run(changed(request_, recipe=None))
    after = [json.loads(line)["log_probability"] for line in request_.dump_path.read_text().splitlines()]
    assert all(one != other for one, other in zip(before, after))
    assert refusals(result.attestation, recipe=None, **stored(request_)) == ()
    assert result.attestation["layers"]["first"]["dtype"] == "bfloat16"
    assert refusals(result.attestation, recipe=RECIPE.to_dict(), **stored(request_)) != ()
    assert refusals(quantized.attestation, recipe=None, **stored(request_)) != ()


def test_a_recipe_in_bfloat16_is_proved_from_float32_files(request_: EvaluationRequest) -> None:
    recipe = Recipe("half", dtype="bfloat16")
    result = run(changed(request_, recipe=recipe))
    assert refusals(result.attestation, recipe=recipe.to_dict(), **stored(request_)) == ()
    other = {**stored(request_), "checkpoint_fingerprint": "0" * 32}
    assert refusals(result.attestation, recipe=recipe.to_dict(), **other) == (
        "the weights evaluated are not the checkpoint's",
    )


def test_without_a_start_model_only_the_checkpoint_is_compared(request_: EvaluationRequest) -> None:
    result = run(changed(request_, start_model=None))
    fingerprints = {**stored(request_), "start_fingerprint": None}
    assert refusals(result.attestation, recipe=RECIPE.to_dict(), **fingerprints) == ()


def test_progress_begins_at_none_and_ends_with_all(request_: EvaluationRequest) -> None:
    seen: list[tuple[int, int]] = []
    evaluate(TinyEngine(), request_, lambda done, total: seen.append((done, total)))
    assert seen == [(0, ROWS), (4, ROWS), (8, ROWS), (ROWS, ROWS)]


def test_one_thread_computes_and_the_number_of_threads_comes_back(request_: EvaluationRequest) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        engine = TinyEngine()
        run(request_, engine)
        assert engine.threads == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_model_that_comes_quantized_gets_the_recipe_asked_for(request_: EvaluationRequest) -> None:
    class Quantizing(TinyEngine):
        def load(self, checkpoint: Path, dtype: str) -> Any:
            model = super().load(checkpoint, dtype)
            apply_recipe(model, Recipe("other", scale_rule="floor", exclude=()))
            return model

    result = run(request_, Quantizing())
    assert refusals(result.attestation, recipe=RECIPE.to_dict(), **stored(request_)) == ()


def assert_refused(request: EvaluationRequest, engine: TinyEngine, words: str, kind: type[QuantError]) -> None:
    """One sentence with its cure; what was dumped before stays, and nothing half written lies about."""
    request.dump_path.parent.mkdir(parents=True, exist_ok=True)
    request.dump_path.write_text("the dump of before\n")
    with pytest.raises(kind) as caught:
        run(request, engine)
    assert words in str(caught.value) and caught.value.HELP_TEXT
    assert [path.name for path in request.dump_path.parent.iterdir()] == [request.dump_path.name]
    assert request.dump_path.read_text() == "the dump of before\n"


def test_other_weights_than_the_checkpoints_are_refused_before_the_first_sample(request_: EvaluationRequest) -> None:
    class Stale(TinyEngine):
        def load(self, checkpoint: Path, dtype: str) -> Any:
            return TinyModel(seed=5)

    engine = Stale()
    assert_refused(request_, engine, "other weights than the checkpoint's", EvaluationError)
    assert engine.generated == 0


def test_the_start_models_weights_are_refused_before_the_first_sample(request_: EvaluationRequest) -> None:
    engine = TinyEngine()
    same = changed(request_, start_model=request_.checkpoint)
    assert_refused(same, engine, "those of the start model", EvaluationError)
    assert engine.generated == 0


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (lambda: 1 / 0, "scoring sample v5 failed: ZeroDivisionError: division by zero"),
        (lambda: float("nan"), "the score of sample v5 is nan"),
        (lambda: "high", "scoring sample v5 failed: ValueError"),
        (lambda: None, "scoring sample v5 failed: TypeError"),
    ],
)
def test_a_sample_without_a_score_is_named(score: Any, words: str, request_: EvaluationRequest) -> None:
    class Failing(TinyEngine):
        def score(self, sample: Sample, generation: Generation) -> float:
            return score() if sample.uid == "v5" else 0.0

    assert_refused(request_, Failing(), words, EvaluationError)


def test_an_engine_that_gives_too_few_generations_is_refused(request_: EvaluationRequest) -> None:
    class Short(TinyEngine):
        def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
            return super().generate(module, samples)[:-1]

    assert_refused(request_, Short(), "gave 3 generations for 4 samples", EvaluationError)


def test_a_log_probability_that_is_no_number_is_refused(request_: EvaluationRequest) -> None:
    class Broken(TinyEngine):
        def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
            return [Generation("x", float("nan"), 1) for _ in samples]

    assert_refused(request_, Broken(), "the log-probability of sample v0 is nan", EvaluationError)


def test_weights_that_change_in_the_midst_are_refused(request_: EvaluationRequest) -> None:
    class Training(TinyEngine):
        def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
            module.first.weight.data.mul_(1.01)
            return super().generate(module, samples)

    assert_refused(request_, Training(), "changed while they were frozen", WeightsError)


def test_an_empty_or_missing_validation_set_is_refused(request_: EvaluationRequest) -> None:
    request_.validation_file.write_text("")
    assert_refused(request_, TinyEngine(), "is empty", EvaluationError)
    request_.validation_file.write_text('{"uid": \n')
    assert_refused(request_, TinyEngine(), "can't read the validation set", EvaluationError)
    request_.validation_file.write_text('{"number": 1}\n')
    assert_refused(request_, TinyEngine(), "can't read the validation set", EvaluationError)
    request_.validation_file.unlink()
    assert_refused(request_, TinyEngine(), "can't read the validation set", EvaluationError)


def test_a_missing_or_cut_checkpoint_is_refused(request_: EvaluationRequest) -> None:
    shard = request_.checkpoint / "actor" / "model_world_size_1_rank_0.pt"
    shard.write_bytes(shard.read_bytes()[:5000])
    assert_refused(request_, TinyEngine(), "is cut", WeightsError)
    shard.unlink()
    assert_refused(request_, TinyEngine(), "holds no weights", WeightsError)


def test_a_recipe_that_fits_no_layer_is_refused(request_: EvaluationRequest) -> None:
    assert_refused(
        changed(request_, recipe=Recipe("none", exclude=("*",))), TinyEngine(), "no linear layer", RecipeError
    )


def test_a_dump_that_cannot_be_written_is_one_sentence(request_: EvaluationRequest, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="can't write the dump"):
        run(changed(request_, dump_path=tmp_path / "file" / "29.jsonl"))


def test_a_disk_that_takes_no_more_leaves_the_dump_of_before(request_: EvaluationRequest) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        assert_refused(request_, TinyEngine(), "can't write the dump", EvaluationError)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_ground_truths_that_are_no_json_are_refused(request_: EvaluationRequest) -> None:
    class Odd(TinyEngine):
        def read_samples(self, path: Path) -> list[Sample]:
            return [Sample(each.uid, each.input, {1}, each.data) for each in super().read_samples(path)]

    assert_refused(request_, Odd(), "can't be written as JSON", EvaluationError)
