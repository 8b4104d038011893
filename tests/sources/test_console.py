"""A trainer's console as facts: every thing once, an earlier attempt kept apart, no fact out of what only repeats."""

from __future__ import annotations

import json
from pathlib import Path
from pprint import pformat

import pytest

from monitor.model.fact import Fact, FactKind
from monitor.sources.console import ConsoleSource
from monitor.sources.trainer_profile import load_profile

NOW = 4e9
PREFIX = "\x1b[36m(TaskRunner pid=123)\x1b[0m "
BEGIN = "test_gen_batch meta info: {{'eos_token_id': 1, 'do_sample': False, 'validate': True, 'global_steps': {}}}"
END = "validation generation end"
BAR = "Training Progress:  {}%|█████| {}/29 [00:41<00:02,  1.45s/it]"


def _config(folder: Path, **trainer: object) -> dict[str, object]:
    return {
        "actor_rollout_ref": {"model": {"path": "model"}, "rollout": {"n": 8, "val_kwargs": {"n": 1, "top_p": 1.0}}},
        "data": {"train_batch_size": 16, "val_batch_size": 64, "val_files": str(folder / "validation.jsonl")},
        "quantization": {"name": "mxfp4_w4a4", "format": "mxfp4", "exclude": ["lm_head"]},
        "trainer": {
            "default_local_dir": str(folder / "checkpoints"),
            "experiment_name": "exp",
            "logger": ["console", "file"],
            "project_name": "proj",
            "save_freq": 29,
            "test_freq": 20,
            "total_training_steps": 29,
            "val_before_train": True,
            "validation_data_dir": str(folder / "validation"),
            **trainer,
        },
    }


class Console:
    """A console log that the test writes and polls."""

    def __init__(self, folder: Path, profile: str = "demo") -> None:
        self.path = folder / "console.log"
        self.path.touch()
        self.source = ConsoleSource(self.path, load_profile(profile))

    def write(self, *lines: str, prefix: str = "") -> list[Fact]:
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(f"{prefix}{line}\n" for line in lines)
        return self.source.poll(NOW)


@pytest.fixture
def console(tmp_path: Path) -> Console:
    (tmp_path / "validation.jsonl").write_text('{"input": "1+1="}\n' * 200)
    return Console(tmp_path)


def _kinds(facts: list[Fact]) -> list[tuple[FactKind, int | None, str | None]]:
    return [(fact.kind, fact.step, fact.phase) for fact in facts]


def _printed(folder: Path, **trainer: object) -> list[str]:
    return pformat(_config(folder, **trainer), width=80).splitlines()


@pytest.mark.parametrize("prefix", ["", PREFIX, "(TaskRunner pid=123, ip=10.0.0.7) "])
def test_the_printed_configuration_becomes_the_runs(console: Console, tmp_path: Path, prefix: str) -> None:
    (fact,) = console.write(*_printed(tmp_path), prefix=prefix)
    assert fact.kind is FactKind.RUN_CONFIG
    assert fact.data["experiment"] == "exp"
    assert (fact.data["total_steps"], fact.data["test_freq"], fact.data["save_freq"]) == (29, 20, 29)
    assert fact.data["validation_rows"] == 200
    assert fact.data["recipe"]["format"] == "mxfp4"
    assert fact.data["validate_before_train"] is True
    assert "model_path" not in fact.data, "a relative path without a folder says nothing"


def test_a_configuration_that_python_cannot_read_gives_its_plain_keys(console: Console, tmp_path: Path) -> None:
    lines = _printed(tmp_path, device="X")
    broken = [line.replace("'X'", "<Device.cuda: 1>") for line in lines]
    (fact,) = console.write(*broken)
    assert (fact.data["experiment"], fact.data["total_steps"], fact.data["save_freq"]) == ("exp", 29, 29)
    assert "recipe" not in fact.data


def test_a_configuration_with_lines_of_others_in_between_is_whole(console: Console, tmp_path: Path) -> None:
    lines: list[str] = []
    for line in _printed(tmp_path):
        lines += [PREFIX + line, "(WorkerDict pid=9) {'loading': 1"]
    (fact,) = console.write(*lines)
    assert fact.data["experiment"] == "exp"


def test_a_step_line_gives_its_phases_its_scores_and_its_end_once(console: Console) -> None:
    line = (
        "step:20 - actor/loss:0.5 - timing_s/gen:1.5 - timing_s/testing:2.25 - timing_s/step:9.0"
        " - val-core/arithmetic/acc/mean@1:np.float64(0.77) - bad:nan"
    )
    facts = console.write(line, prefix=PREFIX)
    assert _kinds(facts) == [
        (FactKind.PHASE_END, 20, "gen"),
        (FactKind.PHASE_END, 20, "testing"),
        (FactKind.SCORE, 20, None),
        (FactKind.STEP_END, 20, None),
    ]
    assert facts[1].data == {"seconds": 2.25}
    assert facts[2].data == {"metric": "val-core/arithmetic/acc/mean@1", "value": 0.77}
    assert "bad" not in facts[3].data["metrics"]
    assert facts[3].evidence is not None and facts[3].evidence.line == 1
    assert console.write(line, prefix=PREFIX) == []


def test_the_final_validation_is_followed_without_hooks(console: Console, tmp_path: Path) -> None:
    console.write(*_printed(tmp_path), "Size of train dataloader: 7, Size of val dataloader: 4", prefix=PREFIX)
    console.write("local_global_step_folder: /x/checkpoints/global_step_29", prefix=PREFIX)
    begun = console.write(BEGIN.format(29), prefix=PREFIX)
    assert _kinds(begun)[-1] == (FactKind.PHASE_BEGIN, 29, "testing")
    done = []
    for batch in range(4):
        if batch:
            assert console.write(BEGIN.format(29), prefix=PREFIX) == []
        (fact,) = console.write(END, prefix=PREFIX)
        assert (fact.kind, fact.step, fact.phase) == (FactKind.SAMPLES, 29, "testing")
        done.append((fact.data["done"], fact.data["total"]))
    assert done == [(64, 200), (128, 200), (192, 200), (200, 200)]


def test_a_batch_that_ends_twice_is_no_progress(console: Console, tmp_path: Path) -> None:
    console.write(*_printed(tmp_path))
    assert console.write(END) == [], "no batch is under way"
    console.write(BEGIN.format(29))
    assert len(console.write(END)) == 1
    assert console.write(END, END, END) == []


def test_batches_of_unknown_size_are_progress_but_no_count(console: Console) -> None:
    (begun,) = console.write(BEGIN.format(20))
    assert (begun.kind, begun.step) == (FactKind.PHASE_BEGIN, 20)
    (moved,) = console.write(END)
    assert moved.kind is FactKind.CALLS_MOVED


def test_a_training_batch_begins_no_validation(console: Console) -> None:
    assert console.write("test_gen_batch meta info: {'validate': False, 'global_steps': 3}") == []


@pytest.mark.parametrize(("save_first", "order"), [(True, "save-first"), (False, "validate-first")])
def test_the_order_of_save_and_validation_is_seen_in_the_lines(
    console: Console, tmp_path: Path, save_first: bool, order: str
) -> None:
    console.write(*_printed(tmp_path), BEGIN.format(0), END)
    assert not any("save_order" in fact.data for fact in console.write(BEGIN.format(20), END))
    save = ["local_global_step_folder: /x/global_step_29"] if save_first else []
    facts = console.write(*save, BEGIN.format(29))
    assert [fact.data["save_order"] for fact in facts if "save_order" in fact.data] == [order]


def test_a_save_begins_once(console: Console) -> None:
    line = "local_global_step_folder: /x/checkpoints/global_step_29"
    assert _kinds(console.write(line, line)) == [(FactKind.PHASE_BEGIN, 29, "save_checkpoint")]


def test_a_redrawn_bar_says_something_only_when_its_count_rises(console: Console) -> None:
    (total,) = console.write(BAR.format(0, 0))
    assert total.data == {"total_steps": 29}
    with console.path.open("a", encoding="utf-8") as file:
        file.write("".join("\r" + BAR.format(0, 0) for _ in range(50)) + "\n")
    assert console.source.poll(NOW) == []
    assert _kinds(console.write(BAR.format(3, 1))) == [(FactKind.STEP_END, 1, None)]
    assert console.write(BAR.format(3, 1), BAR.format(0, 0), BAR.format(3, 1)) == []


def test_a_bar_after_the_steps_own_line_says_nothing(console: Console) -> None:
    console.write(BAR.format(0, 0), "step:1 - timing_s/gen:1.0")
    assert console.write(BAR.format(3, 1)) == []


def test_a_resumed_bar_does_not_end_the_step_it_starts_from(console: Console) -> None:
    assert [fact.kind for fact in console.write(BAR.format(69, 20))] == [FactKind.RUN_CONFIG]


@pytest.mark.parametrize("width", [50, 80, 500])
def test_initial_metrics_are_scores_of_step_zero_however_they_are_wrapped(console: Console, width: int) -> None:
    console.write(BEGIN.format(0), END)
    metrics = {"val-core/arithmetic/acc/mean@1": 0.125, "val-aux/num_turns/min": 2}
    lines = pformat(f"Initial validation metrics: {metrics}", width=width).splitlines()
    facts = console.write(*lines, "Training from scratch", prefix=PREFIX)
    scores = [fact for fact in facts if fact.kind is FactKind.SCORE]
    assert [(fact.step, fact.data) for fact in scores] == [
        (0, {"metric": "val-core/arithmetic/acc/mean@1", "value": 0.125})
    ]
    assert (FactKind.PHASE_END, 0, "testing") in _kinds(facts)
    assert console.write(*lines, prefix=PREFIX) == []
    again = console.write("step:0 - val-core/arithmetic/acc/mean@1:0.125", prefix=PREFIX)
    assert [fact.kind for fact in again] == [FactKind.STEP_END], "score and end of the validation were told above"


@pytest.mark.parametrize("empty", ["'Final validation metrics: {}'", "'Final validation metrics: None'"])
def test_missing_final_metrics_are_told_and_are_no_score(console: Console, empty: str) -> None:
    facts = console.write("step:28 - a:1", empty)
    assert facts[-1].kind is FactKind.NOTICE and "no final validation metrics" in facts[-1].data["text"]


def test_final_metrics_belong_to_the_last_step_seen(console: Console) -> None:
    facts = console.write("step:29 - a:1", "(\"Final validation metrics: {'val-core/x/acc/mean@1': \"", " '0.5}')")
    assert [(fact.step, fact.data["value"]) for fact in facts if fact.kind is FactKind.SCORE] == [(29, 0.5)]


def test_the_engines_count_of_quantized_layers_is_an_attestation_once(console: Console) -> None:
    line = "[quantization] W4A4 active in 12/12 linear layers, 3072 calls, weights 0123abcd of step 29"
    (fact,) = console.write(line, line, prefix="(RolloutServer pid=7) ")
    assert (fact.kind, fact.step) == (FactKind.ATTESTED, 29)
    assert (fact.data["active_layers"], fact.data["expected_layers"], fact.data["calls"]) == (12, 12, 3072)
    assert (fact.data["weights_fingerprint"], fact.data["weights_step"]) == ("0123abcd", 29)


def test_chatter_is_no_progress(console: Console) -> None:
    console.write(BAR.format(96, 28), BEGIN.format(29))
    for second in range(20):
        facts = console.write(
            "still waiting for the engine",
            f"heartbeat {second}",
            BAR.format(96, 28),
            "Using blocking ray.get inside async actor. This blocks the event loop.",
        )
        assert [fact.kind for fact in facts if fact.moves] == []
        assert len(facts) == (1 if second == 0 else 0)


def test_an_earlier_attempt_in_the_same_log_is_not_told_as_this_run(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    first = [*_printed(tmp_path), "step:1 - a:1", "step:2 - a:1", BEGIN.format(20)]
    second = [*_printed(tmp_path, experiment_name="again"), "step:1 - a:2"]
    path.write_text("\n".join(first + second) + "\n")
    facts = ConsoleSource(path, load_profile("demo")).poll(NOW)
    assert [fact.data["experiment"] for fact in facts if fact.kind is FactKind.RUN_CONFIG] == ["again"]
    assert [(fact.step, fact.data["metrics"]) for fact in facts if fact.kind is FactKind.STEP_END] == [(1, {"a": 2.0})]
    assert any("earlier attempt" in fact.data.get("text", "") for fact in facts)


def test_a_fact_is_never_later_than_the_logs_last_change(console: Console) -> None:
    (fact,) = console.write("step:1 - a:1")
    assert fact.at == console.path.stat().st_mtime


def test_a_rotated_and_a_truncated_log_are_told_and_read_on(console: Console, tmp_path: Path) -> None:
    console.write("step:1 - a:1")
    console.path.rename(tmp_path / "console.log.1")
    assert _kinds(console.write("step:2 - a:1")) == [(FactKind.NOTICE, None, None), (FactKind.STEP_END, 2, None)]
    console.path.write_text("")
    assert _kinds(console.source.poll(NOW)) == [(FactKind.NOTICE, None, None)]
    assert _kinds(console.write("step:2 - a:1", "step:3 - a:1")) == [(FactKind.STEP_END, 3, None)]


def test_a_dump_inside_a_validation_tells_its_folder(console: Console, tmp_path: Path) -> None:
    assert console.write(f"Dumped generations to {tmp_path}/rollouts/3.jsonl") == []
    console.write(BEGIN.format(20))
    (fact,) = console.write(f"Dumped generations to {tmp_path}/validation/20.jsonl")
    assert fact.data == {"validation_data_dir": str(tmp_path / "validation")}


def test_verls_own_profile_reads_the_same_lines(tmp_path: Path) -> None:
    console = Console(tmp_path, "verl")
    (fact,) = console.write(*_printed(tmp_path), prefix=PREFIX)
    assert fact.data["trainer"] == "verl"
    assert json.loads(json.dumps(fact.data)) == fact.data
