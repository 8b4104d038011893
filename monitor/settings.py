"""The settings of `configs/monitor.yaml`, overlaid by the user's own file, the environment and `--set`.

Covers: where the YAML files are, safe loading, which layer each value comes from, and building a frozen dataclass from
a mapping with unknown keys refused by name. Does not cover what a setting means: that stands beside each default in the
YAML.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

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


_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]*")


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
    vllm_metrics_urls: str
    hosts: str
    hosts_seconds: float
    hosts_deadline_seconds: float
    hash_limit_bytes: int


@dataclass(frozen=True)
class Origin:
    """Where a setting's value comes from."""

    source: str
    """`default`, `file`, `environment` or `flag`: each goes over the ones before it."""
    where: str
    """The file and line, the variable, or the flag."""


def load(user_path: Path | None = None) -> Settings:
    """The settings in force. Raises `BadConfig`, `UnknownKey`."""
    return load_with_origins(user_path)[0]


def load_with_origins(user_path: Path | None = None) -> tuple[Settings, dict[str, Origin]]:
    """The settings in force, and where each comes from. Raises `BadConfig`, `UnknownKey`."""
    shipped = config_directory() / "monitor.yaml"
    path = user_path or user_config_path()
    merged: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    layers: list[tuple[str, dict[str, Any], Callable[[str], str]]] = [
        ("default", load_yaml(shipped), lambda key: str(shipped))
    ]
    if path.exists():
        own = load_yaml(path)
        text = path.read_text(encoding="utf-8")
        layers.append(("file", own, lambda key: f"{path}, line {line_of(key, text)}"))
    layers.append(("environment", _of_environment(), variable_of))
    layers.append(("flag", _of_flags(), lambda key: "--set"))
    known = typing.get_type_hints(Settings)
    for source, values, where in layers:
        for key, value in values.items():
            _check(key, value, where(key), known)
            merged[key], origins[key] = value, Origin(source, where(key))
    settings = build(Settings, merged, str(path))
    if settings.theme not in THEME_NAMES:
        raise BadConfig(
            f"{origins['theme'].where}: there is no theme `{settings.theme}`", "themes: " + ", ".join(THEME_NAMES)
        )
    addresses(settings.vllm_metrics_urls, f"{origins['vllm_metrics_urls'].where}: vllm_metrics_urls")
    host_names(settings.hosts, f"{origins['hosts'].where}: hosts")
    return settings, origins


def host_names(text: str, where: str) -> tuple[str, ...]:
    """Names of machines separated by spaces, each once; none that ssh takes for an option. Raises `BadConfig`."""
    for name in text.split():
        if not _HOST.fullmatch(name):
            raise BadConfig(
                f"{where}: `{name}` is no name of a machine", "write it as `ssh` takes it: gpu-b, ada@gpu-b"
            )
    return tuple(dict.fromkeys(text.split()))


def addresses(text: str, where: str) -> tuple[str, ...]:
    """HTTP addresses separated by spaces, each once. Raises `BadConfig`."""
    for url in text.split():
        if not _is_address(url):
            raise BadConfig(f"{where}: `{url}` is no address", "write it as http://127.0.0.1:8000/metrics")
    return tuple(dict.fromkeys(text.split()))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A port that is no number raises when it is asked for.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def variable_of(key: str) -> str:
    """The environment variable that sets `key`."""
    return f"LASTSTEP_{key.upper()}"


def line_of(key: Any, text: str) -> int:
    """The line of a YAML text that gives `key` its value, 0 where none is found."""
    lines = text.splitlines()
    wanted = (f"{key}:", f"{key} :", f'"{key}"', f"'{key}'")
    return next((number for number, line in enumerate(lines, 1) if line.lstrip(" {,").startswith(wanted)), 0)


def _keys() -> list[str]:
    return [field.name for field in dataclasses.fields(Settings)]


def _of_environment() -> dict[str, Any]:
    return {key: _value(os.environ[variable_of(key)]) for key in _keys() if os.environ.get(variable_of(key))}


def _of_flags() -> dict[str, Any]:
    values = {}
    for pair in filter(None, os.environ.get("LASTSTEP_SET", "").split("\n")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadConfig(f"--set {pair}: no value", "write it as KEY=VALUE, as in --set tick_seconds=2")
        values[key.strip()] = _value(value)
    return values


def _value(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _check(key: Any, value: Any, where: str, known: dict[str, Any]) -> None:
    """Refuse a key that is not `known`, or a value of another type than it has there, by the place where it stands."""
    if key not in known:
        near = difflib.get_close_matches(str(key), sorted(known), n=1)
        hint = f"did you mean `{near[0]}`?" if near else "known keys: " + ", ".join(sorted(known))
        raise UnknownKey(f"{where}: unknown key `{key}`", hint)
    if known[key] is str:
        if not isinstance(value, str):
            raise BadConfig(f"{where}: `{key}` must be a word, not `{value}`", f'put it in quotes: {key}: "…"')
        return
    whole = known[key] is int
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        raise BadConfig(f"{where}: `{key}` must be a {'whole ' if whole else ''}number, not `{value}`")
    if value < 0 or (value == 0 and not whole):
        raise BadConfig(f"{where}: `{key}` must be {'0 or more' if whole else 'more than 0'}, not {value}")
