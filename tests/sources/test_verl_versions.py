"""Lines of verl 0.7.0, 0.8.0 and the DAPO recipe, as the print and log calls of those versions write them.

No run of these versions is recorded: the lines are put together by the code's own formats (`ray_trainer.py` and
`rl_dataset.py` of 0.7.0 and 0.8.0, `main_ppo_sync.py` of 0.8.0, the recipe's `dapo_ray_trainer.py`), in the order of
their `fit`. What differs from 0.9.1: 0.7 and DAPO validate before they save.
"""

from __future__ import annotations

from pathlib import Path
from pprint import pformat
from typing import Any

import pytest

from monitor.detect import fold
from monitor.model.fact import FactKind
from monitor.model.run import RunConfig, RunState
from monitor.sources.console import ConsoleSource
from monitor.sources.trainer_profile import load_profile, match_profile

CONFIG: dict[str, Any] = {
    "actor_rollout_ref": {"model": {"path": "/m"}, "rollout": {"val_kwargs": {"n": 2}}},
    "data": {"val_files": "/d/val.parquet", "val_batch_size": 32},
    "trainer": {
        "default_local_dir": "/c",
        "experiment_name": "e",
        "logger": ["console"],
        "project_name": "p",
        "save_freq": 2,
        "test_freq": 2,
        "total_training_steps": None,
        "val_before_train": False,
    },
}
HEAD = ["dataset len: 1024", "filter dataset len: 1000", "dataset len: 64", "filter dataset len: 50"]
SIZES = ["Size of train dataloader: 2, Size of val dataloader: 2", "Total training steps: 2"]
VALIDATION = [
    "test_gen_batch meta info: {'eos_token_id': 2, 'pad_token_id': 0, 'recompute_log_prob': False, "
    "'do_sample': False, 'validate': True, 'global_steps': 2}",
    "validation generation end",
] * 2
SAVE = ["local_global_step_folder: /c/global_step_2"]
STEPS = [
    "step:1 - actor/grad_norm:np.float64(1.5) - timing_s/gen:2.0 - training/global_step:1",
    "step:2 - actor/grad_norm:1.5 - timing_s/testing:3.0 - val-core/s/acc/mean@2:np.float64(0.25)",
]
FINAL = ["(\"Final validation metrics: {'val-core/s/acc/mean@2': \"", " 'np.float64(0.25)}')"]
LOG = "INFO:2026-01-05 10:00:00,123:"
SYNC = [
    f"{LOG}train and validate dataloader initialized, train dataset size: 1000, val dataset size: 50",
    f"{LOG}Total training steps: 2",
]

FITS = {
    "0.7.0": ("verl", [*HEAD, *SIZES, STEPS[0], *VALIDATION, *SAVE, STEPS[1], *FINAL], "validate-first"),
    "0.8.0": ("verl", [*HEAD, *SIZES, STEPS[0], *SAVE, *VALIDATION, STEPS[1], *FINAL], "save-first"),
    "DAPO": (
        "verl_dapo",
        [*HEAD, *SIZES, "num_gen_batches=1. Keep generating...", STEPS[0], *VALIDATION, *SAVE, STEPS[1], *FINAL],
        "validate-first",
    ),
}


def _read(folder: Path, profile: str, lines: list[str]) -> RunState:
    path = folder / "console.log"
    printed = pformat(CONFIG).splitlines()
    path.write_text("".join(f"(TaskRunner pid=7) {line}\n" for line in [*printed, *lines]))
    source = ConsoleSource(path, load_profile(profile))
    return fold.fold(fold.begin("r", RunConfig(), 0.0), source.poll(4e9))


@pytest.mark.parametrize("version", FITS)
def test_steps_total_and_score_of_the_last_step_are_read(tmp_path: Path, version: str) -> None:
    profile, lines, _ = FITS[version]
    state = _read(tmp_path, profile, lines)
    assert (state.step, state.total_steps) == (2, 2)
    (validation,) = state.validations
    assert (validation.step, validation.final, validation.value) == (2, True, 0.25)


@pytest.mark.parametrize("version", FITS)
def test_whether_it_validates_or_saves_first_is_seen_in_the_lines(tmp_path: Path, version: str) -> None:
    profile, lines, order = FITS[version]
    assert _read(tmp_path, profile, lines).config.save_order == order


@pytest.mark.parametrize("version", FITS)
def test_rows_are_those_left_by_the_filter_times_the_samples_of_each(tmp_path: Path, version: str) -> None:
    profile, lines, _ = FITS[version]
    assert _read(tmp_path, profile, lines).config.validation_rows == 100


def test_the_synchronous_v1_of_0_8_is_read_by_its_logged_lines(tmp_path: Path) -> None:
    lines = [*SYNC, STEPS[0], f"{LOG}Saving checkpoint to /c/global_step_2", STEPS[1], *FINAL]
    state = _read(tmp_path, "verl_v1", lines)
    assert (state.total_steps, state.config.validation_rows) == (2, 100)
    assert [span.step for span in state.spans if span.phase == "save_checkpoint"] == [2]
    assert state.validations[0].value == 0.25


def test_counts_of_the_replay_buffer_are_the_validations_samples(tmp_path: Path) -> None:
    lines = [
        *SYNC,
        STEPS[0],
        "INFO:2026-01-05 10:00:00,123:update_weights done, time cost: 0.06s",
        f"{LOG}pending: 10, running: 20, finished: 20, failure: 0",
    ]
    (validation,) = _read(tmp_path, "verl_v1", lines).validations
    assert (validation.step, validation.done, validation.total) == (2, 40, 100)


def test_counts_outside_a_validation_are_no_samples_of_one(tmp_path: Path) -> None:
    assert (
        _read(tmp_path, "verl_v1", [*SYNC, f"{LOG}pending: 1, running: 2, finished: 1, failure: 0"]).validations == ()
    )


@pytest.mark.parametrize(
    ("actors", "entrypoint", "profile"),
    [
        (("TaskRunnerV1", "WorkerDict"), "python -m verl.trainer.main_ppo a.b=1", "verl_v1"),
        (("TaskRunner", "AgentLoopWorkerTQ"), "python -m verl.trainer.main_ppo_sync", "verl_v1"),
        (("TaskRunner", "AgentLoopWorker"), "python -m verl.trainer.main_ppo trainer.use_v1=False", "verl"),
        (("TaskRunner",), "python3 -m recipe.dapo.main_dapo", "verl_dapo"),
        (("TaskRunner",), "python3 -m recipe.spin.main_spin", "verl"),
        (("TaskRunner", "WorkerDict"), "python train.py", "verl"),
    ],
)
def test_the_kind_of_fit_is_known_by_actors_and_entry_point(
    actors: tuple[str, ...], entrypoint: str, profile: str
) -> None:
    assert match_profile(actors, entrypoint).name == profile


def test_nothing_moves_where_a_recipe_says_it_keeps_generating(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_text("num_gen_batches=1. Keep generating...\n" * 3)
    facts = ConsoleSource(path, load_profile("verl_dapo")).poll(4e9)
    assert not [fact for fact in facts if fact.kind is not FactKind.NOTICE]


def test_what_v1_logs_to_a_workers_stderr_is_read_with_its_stdout(tmp_path: Path) -> None:
    out, err = tmp_path / "worker-a-01000000-7.out", tmp_path / "worker-a-01000000-7.err"
    saving = f"{LOG}Saving checkpoint to /c/global_step_2"
    out.write_text("\n".join([*pformat(CONFIG).splitlines(), STEPS[0], ""]))
    err.write_text("\n".join([*SYNC, saving, ""]))
    facts = ConsoleSource(out, load_profile("verl_v1")).poll(4e9)
    (begun,) = [fact for fact in facts if fact.kind is FactKind.PHASE_BEGIN]
    assert (begun.step, begun.phase) == (2, "save_checkpoint")
    assert begun.evidence is not None and begun.evidence.file == str(err)
    assert fold.fold(fold.begin("r", RunConfig(), 0.0), facts).config.validation_rows == 100


@pytest.mark.parametrize(("over_successes", "notices"), [("0.25", 0), ("0.5", 1)])
def test_failed_samples_that_count_as_zero_are_said(tmp_path: Path, over_successes: str, notices: int) -> None:
    line = f"step:2 - val-core/s/acc/mean@2:0.25 - val-aux/s/acc_success_only/mean@2:np.float64({over_successes})"
    state = _read(tmp_path, "verl_v1", [*SYNC, line])
    assert state.validations[0].value == 0.25
    assert len([notice for notice in state.notices if "count as 0" in notice.what]) == notices


def test_a_limit_on_the_validations_prompts_counts_before_the_datasets_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIG["data"], "val_max_samples", 30)
    assert _read(tmp_path, "verl", ["dataset len: 1024", "dataset len: 64", *SIZES]).config.validation_rows == 60


@pytest.mark.parametrize(("filters", "rows"), [(True, None), (False, 16)])
def test_rows_of_the_file_count_only_where_nothing_filters_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filters: bool, rows: int | None
) -> None:
    monkeypatch.setitem(CONFIG["data"], "val_files", str(Path(__file__).with_name("verl_lines") / "validation.parquet"))
    monkeypatch.setitem(CONFIG["data"], "filter_overlong_prompts", filters)
    assert _read(tmp_path, "verl", []).config.validation_rows == rows


@pytest.mark.parametrize(("frequency", "said"), [(-1, True), (0, True), (5, False)])
def test_a_run_without_a_final_validation_due_is_told_from_its_first_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frequency: int, said: bool
) -> None:
    monkeypatch.setitem(CONFIG["trainer"], "test_freq", frequency)
    notices = _read(tmp_path, "verl", []).notices
    assert any("no final validation is due" in notice.what for notice in notices) is said
