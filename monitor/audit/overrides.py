"""Hydra overrides (`trainer.test_freq=20 +quant.format=mxfp4`) out of a command line or a shell script's text.

Reads words, runs nothing: variables stay as they are written (`$HOME/data`), except those that the script itself sets
to plain text. Covers continued lines, quotes, `+`, `++` and `~` before a key. Does not cover control flow: of an `if`,
both branches are read.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

_ENTRY = re.compile(
    r"(?:\S*python[\d.]*|torchrun|accelerate launch)\s(?:.*?\s)?-m\s+(?P<module>[\w.]+)|(?P<file>\S+\.py)\b"
)
_OVERRIDE = re.compile(r"^(?P<mark>\+{0,2}|~)(?P<key>[A-Za-z_][\w@/\-]*(?:\.[\w@/\-]+)+)=(?P<value>.*)$", re.DOTALL)
_ASSIGNED = re.compile(r"^(?:export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>[^\s$`;&|]*|'[^']*'|\"[^\"$`]*\")\s*(?:#.*)?$")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::-(?P<default>[^}]*))?\}|(?P<plain>\w+))")
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


def read_words(text: str) -> list[str]:
    """The words of a shell command; where its quotes don't close, split at spaces."""
    if not any(mark in text for mark in "'\"\\"):
        return text.split()
    try:
        return shlex.split(text, comments=False, posix=True)
    except ValueError:
        return text.split()


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


def expand(value: str, variables: dict[str, str]) -> str:
    """`value` with the variables that are known put in; an unknown one stays, or takes its `:-default`."""

    def replaced(match: re.Match[str]) -> str:
        known = variables.get(match["braced"] or match["plain"])
        if known is not None:
            return known
        return match["default"] if match["default"] is not None else match.group(0)

    return _VARIABLE.sub(replaced, value)


def script_commands(text: str) -> list[Command]:
    """Every command of a script that holds overrides or starts Python, in order."""
    variables: dict[str, str] = {}
    commands = []
    for number, logical in logical_lines(text):
        stripped = logical.strip()
        if stripped.startswith("#"):
            continue
        assigned = _ASSIGNED.match(stripped)
        if assigned is not None:
            variables[assigned["name"]] = assigned["value"].strip("'\"")
            continue
        command = read_command(stripped, number, variables)
        if command.overrides or command.entry:
            commands.append(command)
    return commands


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with their continuations joined, each with the number of its first line."""
    lines: list[tuple[int, str]] = []
    open_line: list[str] = []
    began = 1
    for number, line in enumerate(text.splitlines(), 1):
        if not open_line:
            began = number
        if line.rstrip().endswith("\\") and not line.lstrip().startswith("#"):
            open_line.append(line.rstrip()[:-1])
            continue
        open_line.append(line)
        lines.append((began, " ".join(open_line)))
        open_line = []
    if open_line:
        lines.append((began, " ".join(open_line)))
    return lines
