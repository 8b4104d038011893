"""What lies on disk where a launch would run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monitor.model.launch import LaunchSettings, LaunchSurroundings
from monitor.sources.launch_surroundings import look_around
from monitor.sources.trainer_profile import load_profile

DATA = Path(__file__).with_name("verl_lines") / "validation.parquet"
NAMED = {"trainer.logger": ["console", "file"], "trainer.project_name": "p", "trainer.experiment_name": "e"}


def _look(folder: Path, given: dict[str, Any], environ: dict[str, str] | None = None) -> LaunchSurroundings:
    return look_around(LaunchSettings("s.sh", 1, "", given), load_profile("verl"), environ or {}, folder)


def test_an_earlier_runs_metrics_are_found_where_the_logger_would_write(tmp_path: Path) -> None:
    (tmp_path / "logs" / "p").mkdir(parents=True)
    (tmp_path / "logs" / "p" / "e.jsonl").write_text('{"step": 1, "data": {}}\n')
    assert _look(tmp_path, NAMED).metrics_file is None
    found = _look(tmp_path, NAMED, {"VERL_FILE_LOGGER_ROOT": "logs"}).metrics_file
    assert found == str(tmp_path / "logs" / "p" / "e.jsonl")


def test_an_empty_file_is_no_loss(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "e.jsonl").touch()
    assert _look(tmp_path, NAMED).metrics_file is None


def test_without_the_file_logger_nothing_is_erased(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "e.jsonl").write_text("{}\n")
    assert _look(tmp_path, {**NAMED, "trainer.logger": ["console", "wandb"]}).metrics_file is None


def test_the_checkpoint_it_would_resume_from_is_found_in_verls_default_folder(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "p" / "e"
    folder.mkdir(parents=True)
    (folder / "latest_checkpointed_iteration.txt").write_text("29")
    assert _look(tmp_path, NAMED).checkpoint_step == 29


def test_rows_of_all_training_files_are_added(tmp_path: Path) -> None:
    assert _look(tmp_path, {"data.train_files": [str(DATA), str(DATA)]}).train_rows == 16


def test_one_file_that_cannot_be_counted_leaves_the_sum_unknown(tmp_path: Path) -> None:
    assert _look(tmp_path, {"data.train_files": [str(DATA), "gone.parquet"]}).train_rows is None
