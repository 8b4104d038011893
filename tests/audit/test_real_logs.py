"""Console logs of real runs, kept: what verl 0.9.1's two trainers print (two steps of a tiny model on the CPU)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.audit.family import audited, the_run, words

DATA = Path(__file__).parent / "data"
"""Only the trainer's own lines are kept, with other paths."""


def test_the_legacy_trainers_log_shows_every_validation_and_no_quantization(tmp_path: Path) -> None:
    shutil.copy(DATA / "verl_0.9.1_legacy_console.log.gz", tmp_path)
    run = the_run(audited(tmp_path), "tiny-legacy")
    assert (run.planned_steps, run.reached_step, run.test_freq) == (2, 2, 1)
    assert run.quantization.asked == "none"
    assert [(score.step, round(score.value, 4)) for score in run.scores if score.primary] == [
        (0, 0.1637),
        (1, 0.1042),
        (2, 0.0),
    ]
    assert all(item.executed and item.batches == item.batches_expected == 1 for item in run.validations)
    assert words(run) == ["valid"]


def test_the_new_trainers_log_alone_does_not_tell_its_rows(tmp_path: Path) -> None:
    shutil.copy(DATA / "verl_0.9.1_v1_console.log.gz", tmp_path)
    run = the_run(audited(tmp_path), "tiny-v1")
    assert (run.planned_steps, run.reached_step, run.fit) == (2, 2, "PPOTrainerSync.fit")
    assert words(run) == ["unproven"]
    assert any("how many rows" in reason for reason in run.reasons)


def test_its_dumps_beside_the_new_trainers_log_make_it_whole(tmp_path: Path) -> None:
    shutil.copy(DATA / "verl_0.9.1_v1_console.log.gz", tmp_path)
    folder = tmp_path / "v1" / "validation"
    folder.mkdir(parents=True)
    for step in (0, 1, 2):
        (folder / f"{step}.jsonl").write_text('{"score": 0.5}\n' * 8)
    run = the_run(audited(tmp_path), "tiny-v1")
    assert words(run) == ["valid"]
    (folder / "2.jsonl").write_text('{"score": 0.5}\n' * 7)
    assert words(the_run(audited(tmp_path), "tiny-v1")) == ["partial"]


@pytest.mark.real
def test_the_demos_own_log_is_valid_by_its_engines_count(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tests.end_to_end.command import laststep

    done = laststep("demo", "--headless", "--no-watch", "--steps", "2", "--out", str(tmp_path / "run"))
    assert done.code == 0, done.stderr
    run = the_run(audited(tmp_path / "run"), "tiny-grpo-mxfp4")
    assert words(run) == ["valid"]
    assert run.quantization.proved == run.quantization.asked == "mxfp4_w4a4"
    assert run.quantization.proved_at == (0, 2)
