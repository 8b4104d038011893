"""Launch scripts and configurations as settings: read word by word, never run.

Of a shell script: the last command with Hydra overrides (`trainer.test_freq=20`, `+a.b=c`, `~a.b`), continued lines,
quotes, variables that the script itself sets to plain text or that have a `:-default`, and `export`s. Control flow is
not followed: of an `if`, both branches are read. Of a YAML or JSON file (Hydra's `.hydra/config.yaml`): its keys,
dotted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from monitor.model.errors import LaststepError
from monitor.model.launch import LaunchSettings
from monitor.sources.shell_text import expand, logical_lines, read_words

LARGEST = 8 << 20
CONFIGURATIONS = (".yaml", ".yml", ".json")

_OVERRIDE = re.compile(r"^(?P<mark>\+{0,2}|~)(?P<key>[A-Za-z_][\w@/-]*(?:\.[\w@/-]+)+)(?:=(?P<value>.*))?$", re.DOTALL)
_ASSIGNED = re.compile(r"^(?P<export>export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>\S*|'[^']*'|\"[^\"]*\")\s*(?:#.*)?;?$")
_PYTHON = re.compile(r"(?:^|/)(?:python[\d.]*|torchrun)$")
_CONFIGURATION = re.compile(r"^(?:--config-(?:name|path|dir)|-cn|-cp|-cd)(?:=(?P<value>.*))?$")


class UnreadableLaunch(LaststepError):
    """A script or configuration that can't be read as one."""

    HELP_TEXT = "give the shell script that starts the training, or its resolved configuration (.hydra/config.yaml)"


@dataclass
class _Command:
    line: int
    entry: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    unresolved: set[str] = field(default_factory=set)
    other_configuration: str = ""


def read_launch(path: Path) -> LaunchSettings:
    """The launch that `path` describes. Raises `UnreadableLaunch`."""
    try:
        if path.stat().st_size > LARGEST:
            raise UnreadableLaunch(f"{path} has more than {LARGEST >> 20} MiB, so it is no launch script")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableLaunch(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableLaunch(f"{path} is no text in UTF-8") from error
    if path.suffix in CONFIGURATIONS:
        return LaunchSettings(str(path), None, "", read_configuration(path, text))
    return read_script(str(path), text)


def read_configuration(path: Path, text: str) -> dict[str, Any]:
    """Dotted keys of a YAML or JSON document. Raises `UnreadableLaunch`."""
    try:
        document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise UnreadableLaunch(f"{path} can't be parsed: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict) or "trainer" not in document:
        raise UnreadableLaunch(f"{path} is no trainer's configuration: it has no section `trainer`")
    return dict(_dotted(document))


def _dotted(document: dict[Any, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in document.items():
        found.append((f"{before}{key}", value))
        if isinstance(value, dict):
            found += _dotted(value, f"{before}{key}.")
    return found


def read_script(source: str, text: str) -> LaunchSettings:
    """The last command of a shell script that sets anything of a trainer. Raises `UnreadableLaunch`."""
    variables: dict[str, str] = {}
    exported: dict[str, str] = {}
    commands: list[_Command] = []
    for number, line in logical_lines(text):
        assigned = _ASSIGNED.match(line.strip())
        if assigned is not None:
            value = expand(assigned["value"].strip("'\""), variables)
            variables[assigned["name"]] = value
            if assigned["export"] and "$" not in value:
                exported[assigned["name"]] = value
            continue
        command = read_command(number, line, variables)
        if command is not None:
            commands.append(command)
    if not commands:
        raise UnreadableLaunch(f"{source} starts no trainer: no command in it sets `trainer.…=…`")
    last = commands[-1]
    return LaunchSettings(
        source, last.line, last.entry, last.given, frozenset(last.unresolved), exported, last.other_configuration
    )


def read_command(number: int, text: str, variables: dict[str, str]) -> _Command | None:
    """One command's overrides; None where it sets nothing of a trainer."""
    words = read_words(text)
    command = _Command(number, _entry(words))
    for word, following in zip(words, [*words[1:], ""]):
        configuration = _CONFIGURATION.match(word)
        if configuration is not None:
            command.other_configuration = configuration["value"] or following
        match = _OVERRIDE.match(word)
        if match is None or (match["value"] is None and match["mark"] != "~"):
            continue
        key = match["key"]
        if match["mark"] == "~":
            command.given.pop(key, None)
            continue
        value = expand(match["value"], variables)
        command.unresolved.discard(key)
        command.given[key] = plain_value(value)
        if "$" in value and not value.startswith("${."):
            command.unresolved.add(key)
    verl = command.entry.startswith(("verl.", "recipe.")) or "main_ppo" in command.entry or "main_dapo" in command.entry
    return command if verl or any(key.startswith("trainer.") for key in command.given) else None


def _entry(words: list[str]) -> str:
    """Module or file that a Python of the command runs."""
    for place, word in enumerate(words):
        if not _PYTHON.search(word):
            continue
        rest = words[place + 1 :]
        if "-m" in rest[:4] and rest.index("-m") + 1 < len(rest):
            return rest[rest.index("-m") + 1]
        return next((item for item in rest if item.endswith(".py")), "")
    return ""


def plain_value(text: str) -> Any:
    """An override's value as Hydra reads it: YAML's types, the text itself where it is none."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
