"""What lies on disk where a launch would run: an earlier run's metrics, checkpoints to resume from, rows of the data.

Relative paths are taken from the folder where the launch would be started. What can't be told is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.model.launch import LaunchSettings, LaunchSurroundings
from monitor.sources.printed_config import absolute, count_rows
from monitor.sources.trainer_profile import TrainerProfile

MARKER = "latest_checkpointed_iteration.txt"


def look_around(
    settings: LaunchSettings, profile: TrainerProfile, environ: Mapping[str, str], folder: Path
) -> LaunchSurroundings:
    """The surroundings of a launch from `folder` with the caller's environment, the script's exports over it."""
    return LaunchSurroundings(
        metrics_file=_metrics_file(settings, profile, {**environ, **settings.environment}, folder),
        checkpoint_step=_checkpoint_step(settings, folder),
        train_rows=_rows(settings.known("data.train_files"), folder),
        validation_rows=_rows(settings.known("data.val_files"), folder),
    )


def _metrics_file(
    settings: LaunchSettings, profile: TrainerProfile, environ: Mapping[str, str], folder: Path
) -> str | None:
    loggers = settings.known(profile.reading_keys.get("loggers", ""), ())
    if "file" not in (loggers if isinstance(loggers, (list, tuple)) else [loggers]):
        return None
    path = environ.get(profile.file_log_path_variable, "")
    if not path:
        names = [settings.known(profile.config_keys.get(field, "")) for field in ("project", "experiment")]
        if not all(names):
            return None
        root = environ.get(profile.file_log_root_variable) or profile.file_log_root_default
        path = f"{root}/{names[0]}/{names[1]}.jsonl"
    found = Path(absolute(path, folder))
    try:
        return str(found) if found.stat().st_size > 0 else None
    except OSError:
        return None


def _checkpoint_step(settings: LaunchSettings, folder: Path) -> int | None:
    where = settings.known("trainer.default_local_dir")
    names = [settings.known(f"trainer.{name}") for name in ("project_name", "experiment_name")]
    if not isinstance(where, str) and all(names):
        where = f"checkpoints/{names[0]}/{names[1]}"
    if not isinstance(where, str) or "$" in where:
        return None
    try:
        return int((Path(absolute(where, folder)) / MARKER).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _rows(files: Any, folder: Path) -> int | None:
    paths = files if isinstance(files, (list, tuple)) else [files]
    counted = [count_rows(absolute(path, folder)) if isinstance(path, str) else None for path in paths]
    known = [rows for rows in counted if rows is not None]
    return sum(known) if len(known) == len(counted) else None
