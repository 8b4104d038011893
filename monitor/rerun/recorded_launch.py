"""How a verl run was launched, as Hydra recorded it: entry point, configuration's name, overrides, working folder.

Where Hydra's files are gone, the configuration that the run printed stands for them, whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.rerun.plan import CannotPlan, RerunPlan
from monitor.rerun.recorded_config import from_hydra, hydra_files, printed_in
from monitor.sources.printed_dict import look_up
from monitor.sources.trainer_profile import load_profile

ENTRIES = {"verl_dapo": "recipe.dapo.main_dapo"}
ENTRY = "verl.trainer.main_ppo"
EXPERIMENT = "trainer.experiment_name"


@dataclass(frozen=True)
class RecordedLaunch:
    """What it takes to start the trainer again with the run's own settings."""

    entry: str
    """Module of the entry point."""
    source: str
    """The file that told it."""
    overrides: tuple[str, ...] = ()
    """As the run was given them; empty where `config` stands for them."""
    config_name: str | None = None
    """The configuration that the overrides are over, where Hydra recorded it."""
    folder: str | None = None
    """The working folder that relative paths are meant from."""
    values: dict[str, Any] = field(default_factory=dict)
    """The resolved configuration."""

    @property
    def whole(self) -> bool:
        """The configuration must be given whole: no overrides were recorded."""
        return not self.overrides

    def get(self, key: str) -> Any:
        """The resolved value at a dotted key, None where there is none."""
        return look_up(self.values, key)


def recorded_launch(plan: RerunPlan) -> RecordedLaunch:
    """The launch of the plan's run. Raises `CannotPlan`."""
    entry = ENTRIES.get(plan.trainer, ENTRY)
    if plan.config_source is None:
        raise CannotPlan(f"the configuration of {plan.run} can't be resolved", "name the run's folder")
    source = Path(plan.config_source)
    places = [source] if source.name == "config.yaml" else hydra_files(source.parent)
    for file in places:
        config = from_hydra(file)
        overrides = _list(file.with_name("overrides.yaml"))
        if config is not None and overrides and config.get(EXPERIMENT) == plan.run_experiment:
            hydra = _mapping(file.with_name("hydra.yaml"))
            name, folder = look_up(hydra, "hydra.job.config_name"), look_up(hydra, "hydra.runtime.cwd")
            return RecordedLaunch(entry, str(file), tuple(overrides), _text(name), _text(folder), config.values)
    printed = printed_in(source, load_profile(plan.trainer)) if source.name != "config.yaml" else None
    if printed is None:
        raise CannotPlan(
            f"{source} records neither the overrides of {plan.run} nor its resolved configuration",
            "put Hydra's `overrides.yaml` beside it, or the run's console log into its folder",
        )
    return RecordedLaunch(entry, printed.source, values=printed.values)


def _mapping(path: Path) -> dict[str, Any]:
    loaded = _loaded(path)
    return loaded if isinstance(loaded, dict) else {}


def _list(path: Path) -> list[str]:
    loaded = _loaded(path)
    return [str(each) for each in loaded] if isinstance(loaded, list) else []


def _loaded(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and "${" not in value else None
