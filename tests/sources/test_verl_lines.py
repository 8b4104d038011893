"""Consoles of real verl runs as facts: the legacy trainer and V1 of 0.9.1, whole, as Ray's driver printed them.

The logs in `verl_lines/` are those of `examples/verl_cpu` (2 steps, 8 validation prompts, a validation and a checkpoint
each step); only paths, addresses and lines that repeat were changed. The configuration in them is torn by Ray's
forwarding, as it came.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.detect import fold
from monitor.model.fact import Fact, FactKind
from monitor.model.run import RunConfig, RunState
from monitor.sources.console import ConsoleSource
from monitor.sources.dumps import DumpSource
from monitor.sources.file_logger import FileLoggerSource
from monitor.sources.trainer_profile import load_profile

HERE = Path(__file__).with_name("verl_lines")
NOW = 4e9
RUNS = {"legacy_0_9_1": "verl", "v1_0_9_1": "verl_v1"}


def _facts(run: str) -> list[Fact]:
    return ConsoleSource(HERE / run / "console.log", load_profile(RUNS[run])).poll(NOW)


def _state(run: str) -> RunState:
    return fold.fold(fold.begin(run, RunConfig(), 0.0), _facts(run))


def _begun(run: str) -> list[tuple[int | None, str | None]]:
    return [(fact.step, fact.phase) for fact in _facts(run) if fact.kind is FactKind.PHASE_BEGIN]


@pytest.mark.parametrize("run", RUNS)
def test_a_configuration_that_ray_tore_is_read_whole(run: str) -> None:
    config = _state(run).config
    assert config.experiment == f"tiny-{run.partition('_')[0]}"
    assert (config.total_steps, config.test_freq, config.save_freq) == (2, 1, 1)
    assert config.checkpoint_dir == "/runs/tiny/checkpoints"
    assert config.validation_data_dir == "/runs/tiny/validation"
    assert config.validate_before_train is True


@pytest.mark.parametrize("run", RUNS)
def test_a_run_without_quantization_says_so(run: str) -> None:
    assert _state(run).config.quantized is False


@pytest.mark.parametrize("run", RUNS)
def test_the_rows_of_the_validation_are_those_the_trainer_counted(run: str) -> None:
    assert _state(run).config.validation_rows == 8


@pytest.mark.parametrize("run", RUNS)
def test_every_step_has_its_validation_and_scores(run: str) -> None:
    metrics = [json.loads(line) for line in (HERE / run / "metrics.jsonl").read_text().splitlines()]
    expected = {record["step"]: record["data"]["val-core/tiny/sums/acc/mean@1"] for record in metrics}
    state = _state(run)
    assert {item.step: item.value for item in state.validations} == pytest.approx(expected)
    assert [item.final for item in state.validations] == [False, False, True]


@pytest.mark.parametrize("run", RUNS)
def test_a_save_and_a_validation_begin_once_a_step_and_in_verls_order(run: str) -> None:
    each = [(step, phase) for step in (1, 2) for phase in ("save_checkpoint", "testing")]
    assert _begun(run) == [(0, "testing"), *each]


@pytest.mark.parametrize("run", RUNS)
def test_the_last_checkpoint_is_seen_to_come_before_the_final_validation(run: str) -> None:
    assert _state(run).config.save_order == "save-first"


@pytest.mark.parametrize("run", RUNS)
def test_every_timed_phase_of_a_step_has_its_seconds(run: str) -> None:
    timed = {span.phase for span in _state(run).spans if span.step == 2 and span.seconds is not None}
    common = {"gen", "old_log_prob", "adv", "update_actor", "save_checkpoint", "update_weights", "testing"}
    assert common <= timed


def test_a_training_dump_inside_a_validation_is_not_taken_for_the_validations() -> None:
    begin = "test_gen_batch meta info: {'validate': True, 'global_steps': 1}"
    text = (HERE / "legacy_0_9_1" / "console.log").read_text()
    assert "rollout/1.jsonl" in text and begin.partition("{")[0] in text
    assert all(
        "rollout" not in str(fact.data.get("validation_data_dir", ""))
        for fact in _facts("legacy_0_9_1")
        if fact.kind is FactKind.RUN_CONFIG
    )


def test_the_samples_of_a_single_batch_are_done_when_its_generation_ended() -> None:
    done = [fact.data for fact in _facts("legacy_0_9_1") if fact.kind is FactKind.SAMPLES]
    assert done == [{"done": 8, "total": 8}] * 3


@pytest.mark.parametrize("run", RUNS)
def test_the_file_logger_tells_the_same_scores_as_the_console(run: str) -> None:
    logged = FileLoggerSource(HERE / run / "metrics.jsonl", load_profile(RUNS[run])).poll(NOW)
    scores = [
        {(fact.step, fact.data["metric"]): fact.data["value"] for fact in facts if fact.kind is FactKind.SCORE}
        for facts in (logged, _facts(run))
    ]
    assert scores[0] == pytest.approx(scores[1])


@pytest.mark.parametrize("run", RUNS)
def test_every_dump_of_a_validation_has_all_its_rows(run: str) -> None:
    facts = DumpSource(HERE / run / "validation").poll(NOW)
    assert [(fact.step, fact.data["rows"]) for fact in facts] == [(0, 8), (1, 8), (2, 8)]


@pytest.mark.parametrize("run", RUNS)
def test_the_run_truly_trained(run: str) -> None:
    outputs = [
        [json.loads(line)["output"] for line in (HERE / run / "validation" / f"{step}.jsonl").read_text().splitlines()]
        for step in range(3)
    ]
    assert set(outputs[0]).isdisjoint(outputs[1]) and set(outputs[1]).isdisjoint(outputs[2])
