"""A run found by its folder: what its files tell becomes a run of the ledger, so that it can be planned like any other.

Reads logs, Hydra's configuration, dumps, the file logger's metrics and checkpoints; writes nothing into the folder.
What a watch saw of the same run, which is more, is left as it is.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.detect.fold import begin, fold
from monitor.model.errors import ExitCode, LaststepError
from monitor.model.fact import Fact
from monitor.model.reading import SourceError
from monitor.model.run import RunConfig, RunState
from monitor.rerun.checkpoint_facts import open_for_writing
from monitor.rerun.recorded_config import RecordedConfig, from_hydra, hydra_files, printed_in
from monitor.sources.checkpoints import CheckpointSource
from monitor.sources.console import ConsoleSource
from monitor.sources.dumps import DumpSource
from monitor.sources.file_logger import FileLoggerSource
from monitor.sources.printed_config import config_fields
from monitor.sources.trainer_profile import TrainerProfile, load_profile

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

LOGS = ("*.log", "*.txt", "logs/*.log")
MOST_LOGS = 32
V1_KEY = "trainer.use_v1"


class NoRunThere(LaststepError):
    """A folder in which no run recorded its configuration."""

    HELP_TEXT = "name the folder that holds the run's console log, or Hydra's `.hydra/config.yaml`"
    exit_code = ExitCode.REFUSED


def adopt(folder: Path, ledger: Ledger) -> str:
    """The name of the run that lies in `folder`, in the ledger from here on. Raises `NoRunThere`."""
    state = read_folder(folder.resolve())
    known = {run.name for run in ledger.runs()}
    if state.name not in known or ledger.run(state.name).config.driver_mark is None:
        ledger.save_run(state)
    return state.name


def read_folder(folder: Path) -> RunState:
    """The run of a folder, from its files alone. Raises `NoRunThere`."""
    if not folder.is_dir():
        raise NoRunThere(f"{folder} is no folder")
    recorded, log = _configuration(folder)
    profile = load_profile("verl_v1" if recorded.get(V1_KEY) is True else "verl")
    fields = _fields(recorded, profile, folder)
    started_at = _started_at(Path(recorded.source), folder)
    config = RunConfig(**{**fields, "console_log": str(log) if log else None, "started_at": started_at})
    when = datetime.fromtimestamp(started_at, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    state = replace(begin(f"{config.experiment or folder.name}-{when}", config, started_at), trainer=profile.name)
    state = fold(state, _facts(config, profile, folder))
    if state.ended_at is not None or open_for_writing(folder):
        return state
    return replace(state, ended_at=_last_change(folder), ended_how="gone")


def _configuration(folder: Path) -> tuple[RecordedConfig, Path | None]:
    """The recorded configuration and the console log; the log that shows a configuration goes before Hydra's file."""
    profile = load_profile("verl")
    logs = sorted({file for pattern in LOGS for file in folder.glob(pattern) if file.is_file()})[:MOST_LOGS]
    for log in logs:
        found = printed_in(log, profile)
        if found is not None:
            return found, log
    for file in hydra_files(folder):
        hydra = from_hydra(file)
        if hydra is not None:
            return hydra, None
    raise NoRunThere(f"no file in {folder} shows the configuration of a verl run")


def _fields(recorded: RecordedConfig, profile: TrainerProfile, folder: Path) -> dict[str, Any]:
    fields = config_fields(recorded.values, profile, folder)
    return {name: value for name, value in fields.items() if name in RunConfig.__dataclass_fields__}


def _facts(config: RunConfig, profile: TrainerProfile, folder: Path) -> list[Fact]:
    now = time.time()
    facts: list[Fact] = []
    sources: list[Any] = []
    if config.console_log:
        sources.append(ConsoleSource(Path(config.console_log), profile, folder))
    if config.validation_data_dir:
        sources.append(DumpSource(Path(config.validation_data_dir)))
    if config.checkpoint_dir:
        sources.append(CheckpointSource(Path(config.checkpoint_dir), profile.checkpoints))
    if config.project and config.experiment:
        for file in folder.glob(f"**/{config.project}/{config.experiment}.jsonl"):
            sources.append(FileLoggerSource(file, profile))
    for source in sources:
        try:
            facts += source.poll(now)
        except (SourceError, OSError):
            continue
    return facts


def _started_at(config_file: Path, folder: Path) -> float:
    """Hydra writes its file as a run begins; a log is as old as the oldest file beside it."""
    hydra = hydra_files(folder)
    if hydra:
        return hydra[0].stat().st_mtime
    return min(file.stat().st_mtime for file in (config_file, *folder.iterdir()))


def _last_change(folder: Path) -> float:
    times = [os.stat(os.path.join(parent, file)).st_mtime for parent, _, files in os.walk(folder) for file in files]
    return max(times, default=time.time())
