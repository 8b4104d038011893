"""The audit's patterns and thresholds, from `configs/audit/rules.yaml`, checked and compiled once a process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from monitor.settings import BadConfig, build, config_directory, load_yaml
from monitor.sources.trainer_profile import TrainerProfile, load_profile

MOST_ROLES = 10_000


@dataclass(frozen=True)
class AuditRules:
    """Every key of the file; what each means stands beside it there."""

    trainers: tuple[str, ...]
    heads: tuple[str, ...]
    find: tuple[str, ...]
    marks: dict[str, tuple[str, ...]]
    fits: dict[str, str]
    fits_by_actor: dict[str, str]
    proving_roles: tuple[str, ...]
    config_keys: dict[str, tuple[str, ...]]
    quantization_sections: tuple[str, ...]
    primary_metrics: tuple[str, ...]
    shares: tuple[str, ...]
    label: str
    generic_names: str
    validation_folders: str
    rollout_folders: str
    base_level_margin: float
    same_score: float

    @cached_property
    def profiles(self) -> tuple[TrainerProfile, ...]:
        """The trainer profiles that are read."""
        return tuple(load_profile(name) for name in self.trainers)

    @cached_property
    def compiled(self) -> dict[str, tuple[re.Pattern[str], ...]]:
        """The marks' patterns, with the trainers' own console patterns under their names there."""
        table = {name: tuple(map(re.compile, patterns)) for name, patterns in self.marks.items()}
        for name in (
            "step", "total_steps", "validation_batches", "resumed", "validation_begin", "validation_batch_end",
            "save_begin", "dumped", "progress_bar",
        ):  # fmt: skip
            patterns = dict.fromkeys(getattr(profile.console, name) for profile in self.profiles)
            table[name] = tuple(re.compile(pattern) for pattern in patterns if pattern)
        return table

    @cached_property
    def score_pattern(self) -> re.Pattern[str]:
        """Names of validation scores, of every trainer."""
        return re.compile("|".join(dict.fromkeys(p for profile in self.profiles for p in profile.score_metrics)))

    def rank(self, metric: str) -> int:
        """Place of a metric among `primary_metrics`; their number where it is none of them."""
        ranked = (place for place, pattern in enumerate(self.primary_metrics) if re.search(pattern, metric))
        return next(ranked, len(self.primary_metrics))

    def is_share(self, metric: str) -> bool:
        """True where the metric is a share of 0 to 1."""
        return any(re.search(pattern, metric) for pattern in self.shares)

    def role_of(self, actor: str) -> str:
        """Role of a Ray actor by its class name, of the first trainer that knows it."""
        role = self._roles.get(actor)
        if role is None:
            roles = (profile.role_of(actor) for profile in self.profiles)
            role = next((known for known in roles if known != "other"), "other")
            if len(self._roles) < MOST_ROLES:
                self._roles[actor] = role
        return role

    @cached_property
    def _roles(self) -> dict[str, str]:
        """Roles that were asked for before."""
        return {}

    def label_of(self, name: str) -> str | None:
        """`E13j` of `mxfp4_w4a4_e13j_global_aqn`; None where the name holds no label."""
        match = re.search(self.label, name)
        return f"E{match['number']}{match['letter'].lower()}" if match else None

    def fit_of(self, entry: str | None, actors: frozenset[str] = frozenset()) -> str | None:
        """The training loop by the driver's class, else by the entry point."""
        for pattern, fit in self.fits_by_actor.items():
            if any(re.fullmatch(pattern, actor) for actor in actors):
                return fit
        return next((fit for pattern, fit in self.fits.items() if entry and re.search(pattern, entry)), None)


@cache
def load_rules(path: Path | None = None) -> AuditRules:
    """The rules that ship, or those of `path`. Raises `BadConfig`, `UnknownKey`."""
    path = path or config_directory() / "audit" / "rules.yaml"
    rules = build(AuditRules, load_yaml(path), str(path))
    try:
        assert rules.compiled and rules.score_pattern.pattern
        for pattern in (
            *rules.primary_metrics,
            *rules.shares,
            rules.label,
            rules.generic_names,
            *rules.fits,
            *rules.fits_by_actor,
        ):
            re.compile(pattern)
    except re.error as error:
        raise BadConfig(f"{path}: `{error.pattern!r}` is no regular expression ({error})") from error
    return rules
