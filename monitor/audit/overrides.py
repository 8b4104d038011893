"""Hydra overrides (`trainer.test_freq=20 +quant.format=mxfp4`) out of a command line or a shell script's text.

Reads words, runs nothing: variables stay as they are written (`$HOME/data`), except those that the script itself sets
to plain text. Covers continued lines, quotes, `+`, `++` and `~` before a key. Does not cover control flow: of an `if`,
both branches are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitor.sources.shell_text import expand, logical_lines, read_words

_ENTRY = re.compile(
    r"(?:\S*python[\d.]*|torchrun|accelerate launch)\s(?:.*?\s)?-m\s+(?P<module>[\w.]+)|(?P<file>\S+\.py)\b"
)
_OVERRIDE = re.compile(r"^(?P<mark>\+{0,2}|~)(?P<key>[A-Za-z_][\w@/\-]*(?:\.[\w@/\-]+)+)=(?P<value>.*)$", re.DOTALL)
_ASSIGNED = re.compile(r"^(?:export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>[^\s$`;&|]*|'[^']*'|\"[^\"$`]*\")\s*(?:#.*)?$")
LONGEST_COMMAND = 1 << 20


@dataclass(frozen=True)
class Command:
    """One command of a script or a log that starts a trainer or an evaluation."""

    entry: str | None
    """Python module or file that it runs, None where none is named."""
    overrides: dict[str, str]
    """Dotted key without its mark → value as text, quotes removed; the last one of a key counts."""
    removed: tuple[str, ...]
    """Keys taken away with `~`."""
    line: int
    """Line on which it begins, from 1."""
    text: str


def read_command(text: str, line: int = 1, variables: dict[str, str] | None = None) -> Command:
    """The entry point and overrides of one command line."""
    text = text[:LONGEST_COMMAND]
    found = _ENTRY.search(text)
    entry = (found["module"] or found["file"]) if found else None
    overrides: dict[str, str] = {}
    removed = []
    for word in read_words(text):
        if word.startswith("~") and "=" not in word:
            removed.append(word[1:])
            continue
        match = _OVERRIDE.match(word)
        if match is None:
            continue
        if match["mark"] == "~":
            removed.append(match["key"])
        else:
            overrides[match["key"]] = expand(match["value"], variables or {})
    return Command(entry, overrides, tuple(removed), line, text)


def script_commands(text: str) -> list[Command]:
    """Every command of a script that holds overrides or starts Python, in order."""
    variables: dict[str, str] = {}
    commands = []
    for number, logical in logical_lines(text):
        stripped = logical.strip()
        assigned = _ASSIGNED.match(stripped)
        if assigned is not None:
            variables[assigned["name"]] = assigned["value"].strip("'\"")
            continue
        command = read_command(stripped, number, variables)
        if command.overrides or command.entry:
            commands.append(command)
    return commands
