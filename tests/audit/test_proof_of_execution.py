"""What counts as proof that a score is of the quantization, the weights and the rows it should be of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.model.audit import RunKind
from monitor.model.score import Standing
from tests.audit.family import (
    EVALUATION,
    FAMILY,
    METRIC,
    ROWS,
    Run,
    audit_log,
    audited,
    console,
    the_run,
    words,
    write_family,
    write_logs,
)

SKIPPING = Run(scores={0: 0.08, 20: 0.61}, skips=True)


def test_a_count_of_weights_alone_is_not_the_quantization_asked_for(tmp_path: Path) -> None:
    run = the_run(audit_log(tmp_path, console(Run(engine="W4A16"))), "E1a")
    assert words(run) == ["not-quantized"]
    assert run.quantization.weights_only


def test_a_run_trained_with_weights_alone_is_valid_with_a_count_of_weights_alone(tmp_path: Path) -> None:
    run = the_run(audit_log(tmp_path, console(Run("mxfp4_w4a16_e1a", asked="W4A16"))), "E1a")
    assert words(run) == ["valid"]


def test_registered_hooks_prove_nothing_and_the_finals_stay_unproven(tmp_path: Path) -> None:
    write_family(tmp_path, [replace(run, engine="fork" if run.engine == "counted" else run.engine) for run in FAMILY])
    found = audited(tmp_path)
    for label in ("E13g", "E13h"):
        run = the_run(found, label)
        assert words(run) == ["unproven"]
        assert run.final_score is not None
        assert run.cleared is not None


def test_a_count_that_a_script_echoes_is_no_proof(tmp_path: Path) -> None:
    echoed = "[MXFP4] validation step 29: W4A4 active in 196/196 linear layers, 258524 calls"
    run = the_run(audit_log(tmp_path, console(Run(engine="silent", before=(echoed,)))), "E1a")
    assert words(run) == ["unproven"]


def test_a_validation_with_fewer_batches_than_it_has_is_partial(tmp_path: Path) -> None:
    assert words(the_run(audit_log(tmp_path, console(Run(batches=4, batches_ended=3))), "E1a")) == ["partial"]


@pytest.mark.parametrize(("active", "calls"), [(0, 0), (196, 0), (180, 1000)])
def test_a_count_of_too_little_is_not_quantized(tmp_path: Path, active: int, calls: int) -> None:
    run = the_run(audit_log(tmp_path, console(Run(active=active, calls=calls))), "E1a")
    assert words(run) == ["not-quantized"]


def test_a_count_of_another_format_is_unproven(tmp_path: Path) -> None:
    assert words(the_run(audit_log(tmp_path, console(Run(counted_format="nvfp4"))), "E1a")) == ["unproven"]


def test_an_event_loop_error_before_the_final_validation_leaves_it_unproven(tmp_path: Path) -> None:
    assert words(the_run(audit_log(tmp_path, console(Run(loop_error_at=25))), "E1a")) == ["unproven"]


def test_a_final_score_at_the_base_models_level_is_unproven(tmp_path: Path) -> None:
    run = the_run(audit_log(tmp_path, console(Run(scores={0: 0.08, 20: 0.07, 29: 0.085}))), "E1a")
    assert words(run) == ["unproven"]


@pytest.mark.parametrize("written", ["this event loop is already running", "THIS EVENT LOOP IS ALREADY RUNNING"])
def test_the_event_loop_error_is_known_in_any_letter_case(tmp_path: Path, written: str) -> None:
    write_logs(tmp_path, FAMILY)
    lines = [line.replace("this event loop is already running", written) for line in EVALUATION]
    (tmp_path / "eval.log").write_text("\n".join(lines) + "\n")
    (run,) = [run for run in audited(tmp_path).runs if run.kind is RunKind.EVALUATION]
    assert words(run) == ["stale-weights"]


def test_an_evaluation_without_the_error_is_suspected_and_not_accused(tmp_path: Path) -> None:
    write_logs(tmp_path, FAMILY)
    (tmp_path / "eval.log").write_text("\n".join(line for line in EVALUATION if "event loop" not in line) + "\n")
    (run,) = [run for run in audited(tmp_path).runs if run.kind is RunKind.EVALUATION]
    assert words(run) == ["unproven"]
    assert "base model's level" in run.reasons[0]


def test_an_evaluation_of_a_quantized_checkpoint_that_is_proved_fills_the_missing_final(tmp_path: Path) -> None:
    write_logs(tmp_path, [SKIPPING])
    lines = [
        "+ python3 -m verl.trainer.main_ppo trainer.val_only=True "
        "trainer.resume_from_path=checkpoints/qerl/mxfp4_w4a4_e1a_plain/global_step_29",
        "(TaskRunner pid=41877) Size of train dataloader: 29, Size of val dataloader: 1",
        "(TaskRunner pid=41877) Setting global step to 29",
        "(TaskRunner pid=41877) validation generation end",
        "(vLLMHttpServer pid=4) [MXFP4] validation step 29: W4A4 active in 196/196 linear layers, 258524 calls",
        f"(TaskRunner pid=41877) Initial validation metrics: {{'{METRIC}': 0.7}}",
    ]
    (tmp_path / "eval.log").write_text("\n".join(lines) + "\n")
    found = audited(tmp_path)
    (evaluation,) = [run for run in found.runs if run.kind is RunKind.EVALUATION]
    assert words(evaluation) == ["valid"]
    assert the_run(found, "E1a").filled_by == evaluation.name
    assert not [action for action in found.actions if action.kind == "rerun"]


def test_dumps_alone_show_rows_and_prove_no_final_score(tmp_path: Path) -> None:
    folder = tmp_path / "mxfp4_w4a4_e1a_plain" / "validation"
    folder.mkdir(parents=True)
    for step, rows in ((20, ROWS), (29, 700)):
        row = json.dumps({"input": "q", "output": "a", "score": 1.0, "step": step})
        (folder / f"{step}.jsonl").write_text(f"{row}\n" * rows)
    run = the_run(audited(tmp_path), "mxfp4_w4a4_e1a_plain")
    assert {score.step: score.rows for score in run.scores} == {20: ROWS, 29: 700}
    assert Standing.PARTIAL in run.scores[-1].standing
    assert Standing.VALID not in run.standing


def test_rows_of_training_rollouts_are_no_validation(tmp_path: Path) -> None:
    folder = tmp_path / "e1a" / "rollout_data"
    folder.mkdir(parents=True)
    (folder / "29.jsonl").write_text('{"score": 1.0}\n')
    assert audited(tmp_path).runs == ()


def test_a_dump_with_too_few_rows_makes_the_logged_score_partial(tmp_path: Path) -> None:
    write_logs(tmp_path, [Run()])
    folder = tmp_path / "mxfp4_w4a4_e1a_plain" / "validation"
    folder.mkdir(parents=True)
    for step, rows in ((20, ROWS), (29, ROWS - 1)):
        (folder / f"{step}.jsonl").write_text('{"score": 1.0}\n' * rows)
    run = the_run(audited(tmp_path), "E1a")
    assert words(run) == ["partial"]
    assert f"{ROWS - 1} of {ROWS} rows" in run.reasons[0]


def test_a_limit_of_validation_samples_makes_scores_partial(tmp_path: Path) -> None:
    lines = console(Run())
    lines[0] += " data.val_max_samples=100"
    assert words(the_run(audit_log(tmp_path, lines), "E1a")) == ["partial"]


def test_a_run_that_nobody_knows_to_be_quantized_or_not_is_unproven(tmp_path: Path) -> None:
    lines = [line for line in console(Run(engine="silent")) if "quant" not in line]
    assert words(the_run(audit_log(tmp_path, lines, name="e1a"), "E1a")) == ["unproven"]


def test_a_run_whose_whole_configuration_quantizes_nothing_is_valid_without_a_count(tmp_path: Path) -> None:
    config = "(TaskRunner pid=1) {'actor_rollout_ref': {'model': {'path': 'm'}}, 'trainer': {'experiment_name': 'e1a'}}"
    lines = [line for line in console(Run(engine="silent")) if "quant" not in line]
    pid = next(line for line in lines if "Total training" in line).split("pid=")[1].split(")")[0]
    run = the_run(audit_log(tmp_path, [config.replace("pid=1", f"pid={pid}"), *lines]), "E1a")
    assert run.quantization.asked == "none"
    assert words(run) == ["valid"]


def _fingerprinted(lines: list[str], prints: dict[int, str]) -> list[str]:
    """The lines with the counts of an engine that prints its weights' fingerprints."""
    found = []
    for line in lines:
        head, mark, rest = line.partition("[MXFP4] validation step ")
        step = int(rest.split(":")[0]) if mark else 0
        count = "[quantization] W4A4 active in 196/196 linear layers, 480 calls, weights"
        found.append(f"{head}{count} {prints[step]} of step {step}" if mark else line)
    return found


def test_fingerprints_that_changed_prove_trained_weights_at_any_score(tmp_path: Path) -> None:
    lines = _fingerprinted(console(Run(scores={0: 0.08, 20: 0.08, 29: 0.08})), {0: "aa", 20: "bb", 29: "cc"})
    assert words(the_run(audit_log(tmp_path, lines), "E1a")) == ["valid"]


def test_the_fingerprint_of_an_earlier_step_is_stale_weights(tmp_path: Path) -> None:
    lines = _fingerprinted(console(Run()), {0: "aa", 20: "bb", 29: "bb"})
    run = the_run(audit_log(tmp_path, lines), "E1a")
    assert words(run) == ["stale-weights"]
    assert "weights of step 20" in run.reasons[0]


def test_dumps_are_given_to_the_run_whose_configuration_writes_there(tmp_path: Path) -> None:
    lines = console(Run())
    lines[0] += " trainer.validation_data_dir=/elsewhere/results/validation"
    folder = tmp_path / "results" / "validation"
    folder.mkdir(parents=True)
    for step in (20, 29):
        (folder / f"{step}.jsonl").write_text('{"score": 1.0}\n' * 8)
    (tmp_path / "console.log").write_text("\n".join(lines) + "\n")
    (run,) = audited(tmp_path).runs
    assert [item.rows for item in run.validations if item.step] == [8, 8]
