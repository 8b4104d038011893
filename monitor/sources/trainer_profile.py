"""Trainer profiles: what a trainer prints, writes and calls its phases, from `configs/trainers/*.yaml`.

Covers loading, checking (unknown keys and bad patterns are refused by name) and matching a profile to a job by its
entry point and its actors' class names. Reading with a profile is the pollers' work.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from monitor.settings import BadConfig, addresses, build, config_directory, load_yaml, user_config_path


class UnknownTrainer(BadConfig):
    """A profile that doesn't exist."""


@dataclass(frozen=True)
class ConsolePatterns:
    """Regular expressions of lines a trainer prints; empty: it prints no such line. Named groups in brackets."""

    step: str = ""
    """Metrics of a whole step [step, metrics]; metrics are `key:value` joined by ` - `, or a dict on one line."""
    total_steps: str = ""
    """[total]"""
    validation_batches: str = ""
    """[batches]"""
    dataset_rows: str = ""
    """[rows] of a dataset as it is loaded; the validation set's is the last before `validation_batches`."""
    validation_prompts: str = ""
    """[rows] of the validation set."""
    resumed: str = ""
    """[step]"""
    validation_begin: str = ""
    """[step]; printed before each batch of a validation. Without [step]: the validation is of the newest step."""
    validation_metrics: str = ""
    """[step, metrics]: a validation ended, with its scores, as a dict on one line."""
    validation_batch_end: str = ""
    save_begin: str = ""
    """[step]"""
    weights_synced: str = ""
    """The weights reached the engine; where no line tells a validation's begin, a due one begins with it."""
    rollout_counts: str = ""
    """[pending, running, finished, failed]: prompts of the rollout under way, told now and then."""
    dumped: str = ""
    """[path]"""
    initial_metrics: str = ""
    """Words before the dict of metrics of the validation before training."""
    final_metrics: str = ""
    """Words before the dict of metrics of the last validation."""
    attested: str = ""
    """[scheme, active, expected, calls, fingerprint, step]"""
    progress_bar: str = ""
    """[done, total]; redrawn, so only a risen `done` says anything."""
    notices: tuple[str, ...] = ()
    """Lines worth telling a person, no progress."""


@dataclass(frozen=True)
class CheckpointPatterns:
    """How a trainer lays out its checkpoints."""

    folder: str = r"^global_step_(?P<step>\d+)$"
    """[step]: the name of one checkpoint's folder."""
    last_file: str = ""
    """The file of such a folder that is written last, and so tells a whole checkpoint from one under way; empty: verl's
    shards and its marker beside the folders tell it."""


@dataclass(frozen=True)
class TrainerProfile:
    """One trainer, as its YAML file describes it."""

    name: str
    package: str = ""
    """The Python package that the trainer is; empty: its version is not looked for."""
    versions: tuple[str, ...] = ()
    """Versions that this profile was checked with (`0.9` is every 0.9.x): another one is told as not known. Empty: none
    is."""
    entrypoints: tuple[str, ...] = ()
    """Patterns searched in a job's entry point or its driver's command line."""
    own_actors: tuple[str, ...] = ()
    """Class names (patterns, whole) that no other trainer has: they decide before the entry point does."""
    trainer_actors: tuple[str, ...] = ()
    """Class names (patterns, whole) of the actor that runs the training loop."""
    roles: dict[str, str] = field(default_factory=dict)
    """Actor class name (pattern, whole) → role in `ProcessState.role`."""
    child_roles: dict[str, str] = field(default_factory=dict)
    """Process title (pattern, searched) of a worker's child → role."""
    phases: tuple[str, ...] = ()
    """Names under which the trainer times its phases, in their order."""
    timing_prefix: str = "timing_s/"
    testing_phase: str = "testing"
    save_phase: str = "save_checkpoint"
    rollout_phase: str = "gen"
    score_metrics: tuple[str, ...] = ()
    """Patterns of metric names that are validation scores."""
    moving_calls: tuple[str, ...] = ()
    """`Class.method` (patterns, whole) of Ray calls whose end makes samples or moves a phase."""
    console: ConsolePatterns = field(default_factory=ConsolePatterns)
    checkpoints: CheckpointPatterns = field(default_factory=CheckpointPatterns)
    config_keys: dict[str, str] = field(default_factory=dict)
    """Field of `RunConfig` → dotted key of the configuration the trainer prints."""
    reading_keys: dict[str, str] = field(default_factory=dict)
    """`validation_batch_size`, `validation_samples_each`, `validation_most_prompts`, `filters_prompts`, `loggers` →
    dotted key of the same configuration."""
    quantization_switches: tuple[str, ...] = ()
    """Dotted keys of the same configuration that turn quantization on: where one is on, training quantizes; where all
    that are there are off, it does not; where none is there, nobody says."""
    config_marker: str = ""
    """A top-level key of that configuration: tells it from other printed dicts."""
    file_log_path_variable: str = ""
    file_log_root_variable: str = ""
    file_log_root_default: str = "."
    """The file logger's environment: the file itself, or the folder of {project}/{experiment}.jsonl."""
    file_log_beside_console: bool = False
    """Its default folder lies beside the console log, not in the trainer's working folder."""
    metrics_urls: tuple[str, ...] = ()
    """Where its rollout engines serve vLLM's Prometheus metrics, where that is always the same."""
    evaluation_engine: str | None = None
    """`package.module:attribute` of the engine that a rerun scores with; None: none is built for this trainer."""
    rescue_method: str = ""
    """Method of a train worker that saves its weights, called on all of them at once; empty: none is known."""
    rescue_arguments: tuple[str, ...] = ()
    """What it is called with: `{folder}` a new folder for checkpoints, `{step}` (alone) the step."""

    def role_of(self, class_name: str) -> str:
        """Role of an actor by its class name."""
        return next((role for pattern, role in self.roles.items() if re.fullmatch(pattern, class_name)), "other")

    def child_role_of(self, title: str) -> str:
        """Role of a worker's child process by its title."""
        return next((role for pattern, role in self.child_roles.items() if re.search(pattern, title)), "other")

    def is_trainer_actor(self, class_name: str) -> bool:
        """True where an actor of this class runs the training loop."""
        return any(re.fullmatch(pattern, class_name) for pattern in self.trainer_actors)

    def moves(self, call: str) -> bool:
        """True where the end of a Ray call of this name is progress."""
        return any(re.fullmatch(pattern, call) for pattern in self.moving_calls)

    def is_score(self, metric: str) -> bool:
        """True where a metric of this name is a validation score."""
        return any(re.search(pattern, metric) for pattern in self.score_metrics)


def profiles_directory() -> Path:
    """The folder of the profiles."""
    return config_directory() / "trainers"


def own_profiles_directory() -> Path:
    """The folder of a team's own profiles, beside its settings; it need not be there."""
    return user_config_path().with_name("trainers")


def profile_paths() -> dict[str, Path]:
    """Every profile by its name: a team's own first, and in place of one that ships under the same name."""
    own = {path.stem: path for path in sorted(own_profiles_directory().glob("*.yaml"))}
    ships = {path.stem: path for path in sorted(profiles_directory().glob("*.yaml"))}
    return {**own, **{name: path for name, path in ships.items() if name not in own}}


def profile_names() -> tuple[str, ...]:
    """Every profile, a team's own first."""
    return tuple(profile_paths())


def load_profile(name: str) -> TrainerProfile:
    """The profile `name`. Raises `UnknownTrainer`, `UnknownKey`, `BadConfig`."""
    paths = profile_paths()
    if name not in paths:
        raise UnknownTrainer(f"no trainer profile `{name}`", "there are: " + ", ".join(paths))
    return _read_once(paths[name])


@cache
def _read_once(path: Path) -> TrainerProfile:
    return read_profile(path)


def read_profile(path: Path) -> TrainerProfile:
    """The profile in a YAML file, checked: keys, types and patterns."""
    document = _document(path)
    nested: tuple[tuple[str, type[Any]], ...] = (("console", ConsolePatterns), ("checkpoints", CheckpointPatterns))
    for key, kind in nested:
        if isinstance(document.get(key), dict):
            build(kind, document[key], f"{path}: {key}")
    profile = build(TrainerProfile, {"name": path.stem, **document}, str(path))
    for pattern in _patterns(document):
        try:
            re.compile(pattern)
        except re.error as error:
            raise BadConfig(f"{path}: `{pattern}` is no regular expression ({error})") from error
    addresses(" ".join(profile.metrics_urls), f"{path}: metrics_urls")
    if "step" not in re.compile(profile.checkpoints.folder).groupindex:
        raise BadConfig(f"{path}: checkpoints: `folder` names no step", "write its number as (?P<step>\\d+)")
    return profile


def _document(path: Path) -> dict[str, Any]:
    """A profile's YAML over that of the profile it `extends`: mappings are merged, all else is replaced."""
    document = load_yaml(path)
    base = document.pop("extends", None)
    if base is None:
        return document
    other = profiles_directory() / f"{base}.yaml"
    if base == path.stem or not other.is_file():
        raise BadConfig(f"{path}: it extends `{base}`, and there is no such profile in {other.parent}")
    merged = _document(other)
    for name, value in document.items():
        old = merged.get(name)
        merged[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def match_profile(actor_class_names: Iterable[str], entrypoint: str) -> TrainerProfile:
    """The profile one of whose own actors lives; else the one whose entry point fits; else the one that knows most of
    the actors; else `verl`."""
    names = set(actor_class_names)
    profiles = [load_profile(name) for name in profile_names()]
    for profile in profiles:
        if any(re.fullmatch(pattern, name) for pattern in profile.own_actors for name in names):
            return profile
    for profile in profiles:
        if any(re.search(pattern, entrypoint) for pattern in profile.entrypoints):
            return profile
    known = {profile.name: sum(profile.role_of(name) != "other" for name in names) for profile in profiles}
    best = max(known.values(), default=0)
    fallback = load_profile("verl")
    if best == 0 or known.get(fallback.name) == best:
        return fallback
    return next(profile for profile in profiles if known[profile.name] == best)


def _patterns(document: dict[str, Any]) -> list[str]:
    """Every regular expression of a profile's document."""
    console = document.get("console") or {}
    lists = [
        document.get(key) or ()
        for key in ("entrypoints", "own_actors", "trainer_actors", "score_metrics", "moving_calls")
    ]
    maps = [document.get(key) or {} for key in ("roles", "child_roles")]
    named = [value for value in console.values() if isinstance(value, str)]
    named += [value for key, value in (document.get("checkpoints") or {}).items() if key == "folder"]
    return [str(item) for item in itertools.chain(named, console.get("notices") or (), *lists, *maps)]
