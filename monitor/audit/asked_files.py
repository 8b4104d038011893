"""What was asked for, in files: launch scripts and resolved configurations as traces. Intention, never proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monitor.audit.byte_stream import NotText, open_regular, text_chunks
from monitor.audit.line_marks import flatten
from monitor.audit.overrides import Command, read_command, script_commands
from monitor.audit.rules import AuditRules
from monitor.audit.trace import Trace
from monitor.model.audit import AuditEvidence, FileProblem

LARGEST = 4 << 20


def read_text(path: Path) -> str:
    """A small text file. Raises `NotText`."""
    found = bytearray()
    for chunk in text_chunks(path):
        found += chunk
        if len(found) > LARGEST:
            raise NotText(f"is larger than {LARGEST >> 20} MiB, no script or configuration")
    return found.decode("utf-8", "replace")


def read_script(path: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """One trace a launch command that names its experiment. Raises `NotText`."""
    return [_trace("script", path, item) for item in script_commands(read_text(path)) if _names(item)], []


def _names(command: Command) -> bool:
    return "trainer.experiment_name" in command.overrides


def _trace(source: str, path: Path, command: Command) -> Trace:
    trace = Trace(source, str(path), command.overrides.get("trainer.experiment_name"))
    trace.config = dict(command.overrides)
    trace.entry = command.entry
    trace.config_seen = AuditEvidence("the launch command", str(path), command.line)
    return trace


def read_config(path: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """A resolved configuration or a list of overrides; any other YAML is left alone. Raises `NotText`."""
    import yaml

    with open_regular(path) as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        return [], []
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise NotText(f"is no YAML (line {mark.line + 1})" if mark is not None else "is no YAML") from error
    if isinstance(document, list) and all(isinstance(item, str) for item in document):
        command = read_command(" ".join(f"'{item}'" for item in document if "'" not in item))
        return ([_trace("config", path, command)] if _names(command) else []), []
    if not isinstance(document, dict):
        return [], []
    if isinstance(document.get("trainer"), dict) and set(document["trainer"]) <= {"desc", "value"}:
        document = {key: value.get("value") for key, value in document.items() if isinstance(value, dict)}
    return _resolved(path, document), []


def _resolved(path: Path, document: dict[str, Any]) -> list[Trace]:
    trainer = document.get("trainer")
    if not isinstance(trainer, dict) or not isinstance(trainer.get("experiment_name"), str):
        return []
    trace = Trace("config", str(path), trainer["experiment_name"])
    trace.config = flatten(document)
    trace.whole_config = True
    trace.config_seen = AuditEvidence("the resolved configuration", str(path))
    return [trace]
