"""The settings of `configs/monitor.yaml`, overlaid by `$XDG_CONFIG_HOME/laststep/monitor.yaml`.

Covers: where the YAML files are, safe loading, and building a frozen dataclass from a mapping with unknown keys refused
by name. Does not cover what a setting means: that stands beside each default in the YAML.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from monitor.model.errors import LaststepError
from monitor.model.json_form import MalformedRecord, from_json

T = TypeVar("T")

AUTO_THEME = "auto"
THEME_NAMES = (AUTO_THEME, "dark", "light", "colour-blind", "ansi", "none")
"""What `theme` may be; the colours are `monitor/tui/theme.py`."""


class BadConfig(LaststepError):
    """A YAML file that can't be read or does not say what it should."""

    HELP_TEXT = "mend the file, or remove it to use the defaults"


class UnknownKey(BadConfig):
    """A key that no setting has."""


def config_directory() -> Path:
    """The folder `configs/` that ships with laststep."""
    return Path(__file__).resolve().parent.parent / "configs"


def user_config_path() -> Path:
    """The user's own `monitor.yaml`; need not exist."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "laststep" / "monitor.yaml"


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, loaded safely. Raises `BadConfig`."""
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        place = f", line {where.line + 1}" if where is not None else ""
        raise BadConfig(f"{path}{place}: not YAML") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadConfig(f"{path}: expected keys and values")
    return document


def build(kind: type[T], mapping: dict[str, Any], where: str) -> T:
    """The frozen dataclass `kind` from a mapping. Raises `UnknownKey` with the nearest right word, `BadConfig`."""
    known = [field.name for field in dataclasses.fields(typing.cast(Any, kind))]
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "known keys: " + ", ".join(known)
            raise UnknownKey(f"{where}: unknown key `{key}`", hint)
    try:
        return from_json(kind, mapping)
    except MalformedRecord as error:
        raise BadConfig(f"{where}: {error}") from error


@dataclass(frozen=True)
class Settings:
    """Every setting of the monitor, in seconds unless its name says otherwise; reasons: configs/monitor.yaml."""

    tick_seconds: float
    ray_seconds: float
    gpu_seconds: float
    gpu_deadline_seconds: float
    request_deadline_seconds: float
    checkpoint_seconds: float
    first_snapshot_seconds: float
    snapshot_gap_seconds: float
    stall_floor_seconds: float
    on_finding_deadline_seconds: float
    log_tail_lines: int
    theme: str
    hash_limit_bytes: int


def load(user_path: Path | None = None) -> Settings:
    """The defaults with the user's values over them. Raises `BadConfig`, `UnknownKey`."""
    merged = load_yaml(config_directory() / "monitor.yaml")
    path = user_path or user_config_path()
    if path.exists():
        own = load_yaml(path)
        build_check(own, path)
        merged.update(own)
    settings = build(Settings, merged, str(path))
    if settings.theme not in THEME_NAMES:
        raise BadConfig(f"{path}: there is no theme `{settings.theme}`", "themes: " + ", ".join(THEME_NAMES))
    return settings


def build_check(own: dict[str, Any], path: Path) -> None:
    """Refuse unknown keys of the user's file by the file's own name and line."""
    known = {field.name for field in dataclasses.fields(Settings)}
    lines = path.read_text(encoding="utf-8").splitlines()
    for key in own:
        if key not in known:
            line = next((number for number, text in enumerate(lines, 1) if text.lstrip().startswith(f"{key}")), 0)
            near = difflib.get_close_matches(str(key), sorted(known), n=1)
            hint = f"did you mean `{near[0]}`?" if near else "known keys: " + ", ".join(sorted(known))
            raise UnknownKey(f"{path}, line {line}: unknown key `{key}`", hint)
