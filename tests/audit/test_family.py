"""The family as it was found: eight runs and an evaluation, judged from logs, scripts and history alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli import main
from monitor.model.audit import Audit, RunKind
from tests.audit.family import audited, the_run, words, write_family

AFFECTED = ("E13j", "E13k", "E13l", "E13m", "E13n", "E14a")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def found(case: Path) -> Audit:
    return audited(case)


@pytest.mark.parametrize("label", ["E13g", "E13h"])
def test_a_run_whose_final_validation_the_engine_counted_is_valid_and_cleared(found: Audit, label: str) -> None:
    run = the_run(found, label)
    assert words(run) == ["valid"]
    assert run.final_stands
    assert run.cleared is not None
    assert "final validation (step 29) was executed" in run.cleared


def test_the_scores_of_a_valid_run_before_its_last_step_are_not_final(found: Audit) -> None:
    scores = {score.step: [word.value for word in score.standing] for score in the_run(found, "E13h").scores}
    assert scores == {0: ["not-final"], 20: ["not-final"], 29: ["valid"]}


def test_a_run_scored_in_bf16_is_not_quantized_and_misses_its_final_score(found: Audit) -> None:
    run = the_run(found, "E13j")
    assert words(run) == ["missing-final", "not-quantized"]
    assert run.reported_score is not None
    assert run.reported_score.value == pytest.approx(0.7331)
    assert [word.value for word in run.reported_score.standing] == ["not-final", "not-quantized"]


@pytest.mark.parametrize("label", ["E13k", "E13l", "E13m", "E13n", "E14a"])
def test_a_run_without_final_validation_and_without_a_count_says_both(found: Audit, label: str) -> None:
    assert words(the_run(found, label)) == ["missing-final", "unproven"]


def test_the_run_whose_log_breaks_off_in_a_validation_has_no_score_of_it(found: Audit) -> None:
    run = the_run(found, "E14a")
    assert [score.step for score in run.scores] == [0]
    assert run.reached_step == 20
    (validation,) = [item for item in run.validations if item.step == 20]
    assert validation.executed is None
    assert "breaks off, inside the validation of step 20" in run.reasons[0]


def test_the_evaluation_at_the_base_models_level_is_of_stale_weights(found: Audit) -> None:
    (run,) = [run for run in found.runs if run.kind is RunKind.EVALUATION]
    assert run.name == "eval_e13j_val_only"
    assert words(run) == ["stale-weights"]
    assert [(score.step, score.value) for score in run.scores] == [(29, 0.0849)]
    assert run.checkpoint_of == "mxfp4_w4a4_e13j_global_aqn"


def test_each_affected_run_cites_the_line_that_shows_it(found: Audit) -> None:
    for label in AFFECTED[:-1]:
        run = the_run(found, label)
        first = run.evidence[0]
        assert first.what.startswith("[WARN] Skipping final step validation")
        assert first.file is not None and first.line is not None
        assert Path(first.file).read_text().splitlines()[first.line - 1].endswith(first.what)


def test_the_window_holds_the_six_runs_and_the_reverted_first_attempt_none(found: Audit) -> None:
    first, second = found.windows
    assert (first.subject, first.runs) == ("fix: Skip final validation", ())
    assert first.reverted_by is not None
    assert [the_run(found, name).label for name in second.runs] == list(AFFECTED)
    assert second.authored_at == "2026-01-16T03:33:24+08:00"


def test_starts_are_made_utc_by_the_zone_of_the_commits(found: Audit) -> None:
    run = the_run(found, "E13j")
    assert run.started_at == 1768533838.0  # 2026-01-16 03:23:58 UTC
    assert run.zone == "+0800 (of the repository's commits)"


def test_the_four_comparisons_with_the_bf16_score_do_not_hold_and_name_the_baseline(found: Audit) -> None:
    against = {
        the_run(found, item.left).label: (round(item.difference * 100, 2), item.holds, item.baseline)
        for item in found.comparisons
        if item.right == "mxfp4_w4a4_e13j_global_aqn"
    }
    baseline = "mxfp4_w4a4_ste_fix_e13h"
    assert against == {
        "E13k": (-7.35, False, baseline),
        "E13l": (-20.09, False, baseline),
        "E13m": (-3.94, False, baseline),
        "E13n": (-4.24, False, baseline),
    }


def test_six_reruns_follow_and_sixty_four_gpu_hours_were_wasted(found: Audit) -> None:
    reruns = [action for action in found.actions if action.kind == "rerun"]
    assert [the_run(found, action.run or "").label for action in reruns] == list(AFFECTED)
    assert reruns[0].command == "laststep rerun mxfp4_w4a4_e13j_global_aqn --step 29 --quant mxfp4_w4a4"
    assert found.cost is not None
    assert found.cost.gpu_hours == 64


def test_the_json_has_the_promised_keys(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(case), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    promised = {"schema", "runs", "comparisons", "commits", "scripts", "actions", "wasted_gpu_hours"}
    assert promised <= set(document)
    assert (document["schema"], document["wasted_gpu_hours"]) == (1, 64)
    run = next(run for run in document["runs"] if run["label"] == "E13k")
    assert {"name", "planned_steps", "scores", "standing", "evidence"} <= set(run)
    assert set(run["evidence"][0]) == {"what", "file", "line"}
    assert run["scores"][1]["step"] == 20
    assert run["scores"][1]["value"] == pytest.approx(0.6596)


def test_check_exits_12_where_a_final_score_does_not_stand(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(case / "logs"), "--check"]) == 12
    assert main(["audit", str(case / "logs" / "mxfp4_w4a4_ste_fix_e13h.log"), "--check"]) == 0
    capsys.readouterr()


def test_a_repository_given_apart_serves_history_and_scripts(case: Path) -> None:
    apart = audited(case / "logs")
    assert apart.windows == ()
    from monitor.audit.audit import AuditOptions, audit

    given = audit(AuditOptions(paths=(case / "logs",), repositories=(case / "repo",), workers=1))
    assert len(given.windows) == 2
    assert the_run(given, "E13k").gpus == 8


def test_runs_before_a_date_are_left_out_on_request(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(case), "--json", "--since", "2026-01-16"]) == 0
    labels = [run["label"] for run in json.loads(capsys.readouterr().out)["runs"] if run["kind"] == "training"]
    assert labels == list(AFFECTED)


def test_the_summary_is_corrected_as_a_diff_that_patch_takes(case: Path, tmp_path: Path) -> None:
    document = tmp_path / "ALL.md"
    document.write_text("# All\n\n- **E13k**: Step 0: 7.96% → Step 20: 65.96%\n")
    command = [sys.executable, "-m", "monitor.cli", "audit", str(case), "--fix-summary", str(document)]
    diff = subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    assert document.read_text().endswith("65.96%\n")
    subprocess.run(["patch", "-p1", "-s"], input=diff, cwd=tmp_path, check=True, timeout=60)
    assert "65.96% (step 20 of 29: not-final, unproven; the final score is missing)" in document.read_text()


def test_a_document_is_rewritten_only_where_that_is_said(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "ALL.md"
    document.write_text("E13j: 73.31%\n")
    assert main(["audit", str(case), "--fix-summary", str(document), "--write"]) == 0
    assert "not-quantized" in document.read_text()
    assert main(["audit", str(case), "--write"]) == 2
    capsys.readouterr()


def test_the_impact_analysis_names_affected_and_cleared_runs(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(case), "--markdown"]) == 0
    text = capsys.readouterr().out
    affected = text.index("## Affected runs")
    cleared = text.index("## Cleared runs")
    assert affected < text.index("### E13j") < cleared < text.index("### E13h")


def test_a_document_that_tells_scores_is_testimony_and_an_action(case: Path, tmp_path: Path) -> None:
    document = tmp_path / "SUMMARY.md"
    document.write_text("E13k reached 65.96% (FINAL, valid, W4A4 proved)\n")
    found = audited(case / "logs", document)
    assert str(document) in found.testimony
    assert words(the_run(found, "E13k")) == ["missing-final", "unproven"]
    assert [action.kind for action in found.actions][-1] == "summary"
