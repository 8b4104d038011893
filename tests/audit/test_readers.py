"""Each kind of file alone: metrics, events, wandb, scripts, configurations, checkpoints, packed logs."""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from pathlib import Path

import pytest

from monitor.audit.byte_stream import text_chunks
from monitor.audit.rules import load_rules
from monitor.audit.tensorboard import read_events
from monitor.audit.wandb_run import read_wandb
from tests.audit.family import METRIC, Run, audited, console, script, the_run, words, write_logs

DATA = Path(__file__).parent / "data"
"""Files written by tensorboardX 2.6 and by wandb 0.31 (offline): steps 0 to 29, scores at 0, 20 and 29."""


def test_a_real_event_file_gives_its_scores_and_steps() -> None:
    (trace,), problems = read_events(DATA / "events.out.tfevents.1768000000.host", load_rules())
    assert [(score.step, score.metric, score.value) for score in trace.scores] == [
        (0, METRIC, 0.0796),
        (20, METRIC, 0.62),
        (29, METRIC, 0.629),
    ]
    assert (trace.last_step, len(trace.step_seconds), problems) == (29, 29, [])


def test_a_real_wandb_file_gives_scores_configuration_and_name() -> None:
    (trace,), problems = read_wandb(DATA / "offline.wandb", load_rules())
    assert [(score.step, score.value) for score in trace.scores] == [(0, 0.0796), (20, 0.62), (29, 0.629)]
    assert trace.name == "mxfp4_w4a4_e13w"
    assert trace.config["trainer.total_training_steps"] == "29"
    assert (trace.started_at is not None, problems) == (True, [])


@pytest.mark.parametrize("kept", [0, 3, 11, 700, 1500])
def test_a_cut_event_file_gives_what_stands_before_the_cut(tmp_path: Path, kept: int) -> None:
    whole = (DATA / "events.out.tfevents.1768000000.host").read_bytes()
    (tmp_path / "events.out.tfevents.1").write_bytes(whole[:kept])
    traces, _ = read_events(tmp_path / "events.out.tfevents.1", load_rules())
    assert all(score.step < 29 for trace in traces for score in trace.scores)


def test_a_run_of_wandb_alone_has_a_final_score_that_is_unproven(tmp_path: Path) -> None:
    folder = tmp_path / "offline-run-20260115-abc"
    folder.mkdir()
    (folder / "run-abc.wandb").write_bytes((DATA / "offline.wandb").read_bytes())
    run = the_run(audited(tmp_path), "E13w")
    assert words(run) == ["unproven"]
    assert run.final_score is not None and run.final_score.value == pytest.approx(0.629)


def test_a_run_of_tensorboard_alone_is_named_by_its_folder_and_unproven(tmp_path: Path) -> None:
    folder = tmp_path / "qerl" / "mxfp4_w4a4_e13t"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1").write_bytes((DATA / "events.out.tfevents.1768000000.host").read_bytes())
    run = the_run(audited(tmp_path), "E13t")
    assert words(run) == ["unproven"]
    assert [score.step for score in run.scores] == [0, 20, 29]


def test_wandbs_summary_alone_tells_the_last_value_and_says_so(tmp_path: Path) -> None:
    files = tmp_path / "mxfp4_w4a4_e13s" / "files"
    files.mkdir(parents=True)
    (files / "wandb-summary.json").write_text(json.dumps({"_step": 29, METRIC: 0.7, "_wandb": {"runtime": 3}}))
    run = the_run(audited(tmp_path), "E13s")
    assert "valid" not in words(run)
    assert any("summary" in note for note in run.notes)


def test_a_metrics_file_and_a_log_that_contradict_each_other_are_unproven(tmp_path: Path) -> None:
    write_logs(tmp_path, [Run()])
    line = json.dumps({"step": 29, "data": {METRIC: 0.75, "timing_s/step": 140.0}})
    (tmp_path / "mxfp4_w4a4_e1a_plain.jsonl").write_text(line + "\n")
    run = the_run(audited(tmp_path), "E1a")
    assert words(run) == ["unproven"]
    assert any("contradict" in reason for reason in run.reasons)


def test_a_metrics_file_that_agrees_is_evidence_beside_the_log(tmp_path: Path) -> None:
    write_logs(tmp_path, [Run()])
    line = json.dumps({"step": 29, "data": {METRIC: 0.71, "timing_s/step": 140.0}})
    (tmp_path / "mxfp4_w4a4_e1a_plain.jsonl").write_text(line + "\n")
    run = the_run(audited(tmp_path), "E1a")
    assert words(run) == ["valid"]
    assert len(run.files) == 2


def test_a_jsonl_of_something_else_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"question": "1+1", "answer": "2"}\n')
    found = audited(tmp_path)
    assert (found.runs, found.problems) == ((), ())


def test_a_launch_script_gives_its_runs_gpus_and_noise(tmp_path: Path) -> None:
    run = Run(noise="qerl_sigma")
    write_logs(tmp_path, [run])
    (tmp_path / "launch.sh").write_text(script(run))
    found = the_run(audited(tmp_path), "E1a")
    assert (found.gpus, found.noise, found.validate_before_train) == (8, "qerl_sigma", True)


def test_a_script_without_a_log_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "launch.sh").write_text(script(Run()))
    assert audited(tmp_path).runs == ()


def test_a_resolved_configuration_tells_what_the_log_does_not(tmp_path: Path) -> None:
    write_logs(tmp_path, [Run()])
    (tmp_path / "config.yaml").write_text(
        "trainer: {experiment_name: mxfp4_w4a4_e1a_plain, n_gpus_per_node: 4, nnodes: 2, save_freq: 10}\n"
    )
    found = the_run(audited(tmp_path), "E1a")
    assert (found.gpus, found.save_freq) == (8, 10)


def test_a_complete_checkpoint_is_found_and_a_cut_one_is_not(tmp_path: Path) -> None:
    write_logs(tmp_path, [Run(scores={0: 0.08, 20: 0.6}, skips=True)])
    for step, whole in ((20, False), (29, True)):
        actor = tmp_path / "checkpoints" / "mxfp4_w4a4_e1a_plain" / f"global_step_{step}" / "actor"
        actor.mkdir(parents=True)
        with zipfile.ZipFile(actor / "model_world_size_1_rank_0.pt", "w") as archive:
            archive.writestr("data", "x" * 1000)
        if not whole:
            (actor / "model_world_size_1_rank_0.pt").write_bytes(b"PK\x03\x04 cut")
    (tmp_path / "checkpoints/mxfp4_w4a4_e1a_plain/latest_checkpointed_iteration.txt").write_text("29")
    assert the_run(audited(tmp_path), "E1a").checkpoints == (29,)


def test_a_gzip_log_reads_as_its_plain_one(tmp_path: Path) -> None:
    (tmp_path / "e1a.log.gz").write_bytes(gzip.compress("\n".join(console(Run())).encode()))
    assert words(the_run(audited(tmp_path), "E1a")) == ["valid"]


def test_a_zstd_log_of_several_frames_reads_as_its_plain_one(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    text = "\n".join(console(Run())).encode()
    frames = [zstandard.compress(text[start : start + 700]) for start in range(0, len(text), 700)]
    (tmp_path / "e1a.log.zst").write_bytes(b"".join(frames))
    assert words(the_run(audited(tmp_path), "E1a")) == ["valid"]


def test_a_cut_or_damaged_zstd_log_is_said_and_its_beginning_read(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    text = "\n".join(console(Run())).encode()
    half = zstandard.compress(text[: len(text) // 2])
    (tmp_path / "e1a.log.zst").write_bytes(half + zstandard.compress(text[len(text) // 2 :])[:-300])
    found = audited(tmp_path)
    assert "zstd stream is cut" in found.problems[0].problem
    assert words(the_run(found, "E1a")) == ["missing-final", "unproven"]
    (tmp_path / "e1a.log.zst").write_bytes(half + b"no frame" * 9)
    assert "zstd stream is cut" in audited(tmp_path).problems[0].problem


def test_a_zstd_bomb_is_unpacked_in_bounded_pieces(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    (tmp_path / "bomb.log.zst").write_bytes(zstandard.compress(b" " * (256 << 20)))
    assert max(len(chunk) for chunk in text_chunks(tmp_path / "bomb.log.zst")) <= 2 * (16 << 20)


def test_without_the_module_a_zstd_log_says_what_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    (tmp_path / "e1a.log.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(40))
    assert "zstd" in audited(tmp_path).problems[0].problem


def test_a_utf16_log_reads_as_its_plain_one(tmp_path: Path) -> None:
    (tmp_path / "e1a.log").write_bytes("\n".join(console(Run())).encode("utf-16"))
    assert words(the_run(audited(tmp_path), "E1a")) == ["valid"]


def test_redrawn_bars_and_colours_hide_nothing(tmp_path: Path) -> None:
    lines = []
    for line in console(Run()):
        head, separator, rest = line.partition(") ")
        lines.append(f"\x1b[36m{head})\x1b[0m {rest}" if separator and head.startswith("(") else line)
    text = "\r\n".join(lines).replace("Training Progress", "\rTraining Progress")
    (tmp_path / "e1a.log").write_text(text, newline="")
    assert words(the_run(audited(tmp_path), "E1a")) == ["valid"]
