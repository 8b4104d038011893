"""Variations of the family, each with what must come out of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.model.audit import RunEnd
from tests.audit.family import (
    METRIC,
    SKIP,
    Run,
    audit_log,
    audited,
    console,
    the_run,
    words,
    write_logs,
    write_repository,
)

SKIPPING = Run(scores={0: 0.08, 20: 0.61}, skips=True)


def test_another_trainer_class_inside_the_window_is_cleared_by_its_log(tmp_path: Path) -> None:
    inside = "2026-01-16 12:00:00"
    dapo = Run("mxfp4_w4a4_e15a_dapo", started=inside, entry="recipe.dapo.main_dapo", driver="DAPOTaskRunner")
    write_repository(tmp_path / "repo")
    write_logs(tmp_path / "logs", [dapo])
    run = the_run(audited(tmp_path), "E15a")
    assert words(run) == ["valid"]
    assert len(run.windows) == 1
    assert run.fit == "RayDAPOTrainer.fit"
    assert run.cleared is not None and "it ran RayDAPOTrainer.fit, which the commit does not touch" in run.cleared


def test_a_run_outside_every_window_whose_log_shows_a_skip_is_not_cleared(tmp_path: Path) -> None:
    write_repository(tmp_path / "repo")
    write_logs(tmp_path / "logs", [replace(SKIPPING, started="2026-01-10 09:00:00")])
    run = the_run(audited(tmp_path), "E1a")
    assert run.windows == ()
    assert words(run) == ["missing-final"]
    assert run.cleared is None


def test_a_last_step_that_test_freq_divides_is_missing_when_it_was_skipped(tmp_path: Path) -> None:
    run = the_run(audit_log(tmp_path, console(replace(SKIPPING, total=40))), "E1a")
    assert words(run) == ["missing-final"]
    assert run.planned_steps == 40


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_a_log_cut_anywhere_before_its_last_step_is_logged_is_never_valid(tmp_path: Path, share: float) -> None:
    text = "\n".join(console(Run()))
    (tmp_path / "cut.log").write_text(text[: int(text.index(" step:29 ") * share)])
    for run in audited(tmp_path).runs:
        assert "valid" not in words(run)
        assert run.ended is not RunEnd.FINISHED


def test_a_log_cut_inside_the_number_of_its_final_score_has_no_final_score(tmp_path: Path) -> None:
    text = "\n".join(console(Run()))
    last = text.rindex(f"{METRIC}:0.71")
    (tmp_path / "cut.log").write_text(text[: last + len(METRIC) + 4])
    run = the_run(audited(tmp_path), "E1a")
    assert [score.step for score in run.scores if score.primary] == [0, 20]
    assert words(run) == ["missing-final", "unproven"]


def test_two_runs_in_one_log_are_two_runs(tmp_path: Path) -> None:
    other = replace(SKIPPING, name="mxfp4_w4a4_e1b_other", seed=2)
    found = audit_log(tmp_path, console(Run()), console(other))
    assert words(the_run(found, "E1a")) == ["valid"]
    assert words(the_run(found, "E1b")) == ["missing-final"]


def test_two_trainers_interleaved_in_one_log_prove_nothing_of_each_other(tmp_path: Path) -> None:
    counted, silent = console(Run()), console(replace(Run(), name="mxfp4_w4a4_e1b_other", engine="silent", seed=2))
    mixed = [line for pair in zip(counted, silent) for line in pair]
    for run in audit_log(tmp_path, mixed).runs:
        assert "valid" not in words(run)


def test_a_resumed_run_is_one_run_with_the_scores_of_both_parts(tmp_path: Path) -> None:
    first = Run(scores={0: 0.08, 20: 0.61}, until=24)
    second = Run(scores={29: 0.71}, from_step=24, seed=2)
    run = the_run(audit_log(tmp_path, console(first), console(second)), "E1a")
    assert words(run) == ["valid"]
    assert [score.step for score in run.scores if score.primary] == [0, 20, 29]
    assert any("resumed from step 24" in note for note in run.notes)


def test_a_restart_under_the_same_name_leaves_the_first_attempt_apart(tmp_path: Path) -> None:
    first, second = Run(scores={0: 0.08, 20: 0.61}, until=24), Run(seed=2)
    found = audit_log(tmp_path, console(first), console(second))
    assert words(the_run(found, "mxfp4_w4a4_e1a_plain")) == ["valid"]
    earlier = the_run(found, "mxfp4_w4a4_e1a_plain#1")
    assert earlier.superseded
    assert "missing-final" in words(earlier)


def test_metrics_that_a_restart_may_have_erased_prove_nothing_of_either_attempt(tmp_path: Path) -> None:
    (tmp_path / "mxfp4_w4a4_e1a_plain.jsonl").write_text(
        json.dumps({"step": 29, "data": {METRIC: 0.99, "timing_s/step": 1.0}}) + "\n"
    )
    first, second = Run(scores={0: 0.08, 20: 0.61}, until=24), replace(SKIPPING, seed=2)
    audit_log(tmp_path, console(first), console(second), name="both")
    later = the_run(audited(tmp_path), "mxfp4_w4a4_e1a_plain")
    assert "missing-final" in words(later)
    assert any("several attempts" in note for note in later.notes)


def test_scores_in_percent_are_the_same_as_in_fractions(tmp_path: Path) -> None:
    run = the_run(audit_log(tmp_path, console(Run(percent=True))), "E1a")
    assert [round(score.value, 4) for score in run.scores if score.primary] == [0.08, 0.61, 0.71]
    assert words(run) == ["valid"]


@pytest.mark.parametrize(
    "echoed",
    [
        ("+ cat notes.txt", SKIP),
        ("+ git diff", f'+                    print("{SKIP}")'),
        (f"+ echo '{SKIP}'", SKIP),
        (f'    print("{SKIP}")',),
    ],
)
def test_a_skip_warning_that_a_script_echoes_is_no_skip(tmp_path: Path, echoed: tuple[str, ...]) -> None:
    run = the_run(audit_log(tmp_path, console(Run(before=echoed))), "E1a")
    assert words(run) == ["valid"]
    assert all(item.executed for item in run.validations)


@pytest.mark.parametrize("said", ["None", "{}"])
def test_closing_metrics_of_none_are_no_final_score(tmp_path: Path, said: str) -> None:
    run = the_run(audit_log(tmp_path, console(replace(SKIPPING, final_words=said))), "E1a")
    assert words(run) == ["missing-final"]


def test_closing_metrics_that_repeat_an_earlier_validation_are_no_final_score(tmp_path: Path) -> None:
    said = str({METRIC: 0.61})
    run = the_run(audit_log(tmp_path, console(replace(SKIPPING, final_words=said))), "E1a")
    assert words(run) == ["missing-final"]
    assert any("not counted" in note for note in run.notes)


def test_metrics_that_pprint_wraps_are_read(tmp_path: Path) -> None:
    lines = [line for line in console(Run(wrapped=True)) if " step:29 " not in line]
    run = the_run(audit_log(tmp_path, lines), "E1a")
    assert run.final_score is not None
    assert run.final_score.value == pytest.approx(0.71)


def test_a_printed_value_that_ray_broke_in_pieces_is_read_whole(tmp_path: Path) -> None:
    lines = [line for line in console(Run(engine="silent")) if "quant" not in line]
    driver = next(line for line in lines if "Total training" in line).split(") ")[0] + ") "
    config = [
        "{'actor_rollout_ref': {'tool': {'_target_'",
        ": ",
        "'a.Tool'}},",
        " 'trainer': {'experiment_name': 'e1a'}}",
    ]
    run = the_run(audit_log(tmp_path, [driver + line for line in config], lines), "E1a")
    assert run.quantization.asked == "none"
