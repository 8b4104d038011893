"""The configuration that a run itself recorded: printed in its console log, else Hydra's own file.

Read for what the ledger's fields don't hold: sampling, reward, engine arguments. Intention; what ran is told by logs
and attestations.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.model.reading import SourceError
from monitor.model.run import RunConfig
from monitor.sources.console import ConsoleSource
from monitor.sources.printed_dict import look_up
from monitor.sources.trainer_profile import TrainerProfile

HYDRA_FILES = (".hydra/config.yaml", "outputs/*/*/.hydra/config.yaml", "*/.hydra/config.yaml")


@dataclass(frozen=True)
class RecordedConfig:
    """A run's resolved configuration and the file that holds it."""

    values: dict[str, Any]
    source: str

    def get(self, *keys: str) -> Any:
        """The value at the first of these dotted keys that is there; None where none is, or it is null."""
        return next((value for key in keys if (value := look_up(self.values, key)) is not None), None)


def recorded_config(config: RunConfig, profile: TrainerProfile) -> RecordedConfig | None:
    """What the run recorded; None where nothing that can be read was found."""
    if config.console_log:
        found = printed_in(Path(config.console_log), profile)
        if found is not None:
            return found
    for folder in _folders(config):
        for file in hydra_files(folder):
            found = from_hydra(file)
            if found is not None and found.get(profile.config_keys.get("experiment", "")) == config.experiment:
                return found
    return None


def printed_in(log: Path, profile: TrainerProfile) -> RecordedConfig | None:
    """The configuration that a console log shows."""
    source = ConsoleSource(log, profile)
    try:
        source.poll(time.time())
        printed = source.printed_config
    except (SourceError, OSError):
        return None
    finally:
        source.close()
    return RecordedConfig(dict(printed), str(log)) if printed else None


def hydra_files(folder: Path) -> list[Path]:
    """Hydra's files below a run's folder, newest first."""
    found = [file for pattern in HYDRA_FILES for file in folder.glob(pattern)]
    return sorted(found, key=lambda file: file.stat().st_mtime, reverse=True)


def from_hydra(file: Path) -> RecordedConfig | None:
    """Hydra's configuration; a reference (`${…}`) that it leaves open reads as not told."""
    import yaml

    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return RecordedConfig(_without_references(loaded), str(file)) if isinstance(loaded, dict) else None


def _without_references(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_references(each) for key, each in value.items()}
    return None if isinstance(value, str) and "${" in value else value


def _folders(config: RunConfig) -> Iterator[Path]:
    places = (config.console_log, config.checkpoint_dir, config.validation_data_dir)
    yield from dict.fromkeys(Path(place).parent for place in places if place)
