"""Shell text as words: continued lines joined, quotes taken off, known variables put in. Nothing is ever run.

Covers what launch scripts and echoed commands need; does not cover control flow, substitutions or here-documents.
"""

from __future__ import annotations

import itertools
import re
import shlex

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::?-(?P<default>[^}]*))?\}|(?P<plain>\w+))")


def read_words(text: str) -> list[str]:
    """The words of a command, a comment behind it left out; where its quotes don't close, split at spaces."""
    if not any(mark in text for mark in "'\"\\#"):
        return text.split()
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    # `shlex` takes any `#` for a comment; in a shell only one that begins a word is.
    return list(itertools.takewhile(lambda word: not word.startswith("#"), words))


def expand(value: str, variables: dict[str, str]) -> str:
    """`value` with known variables put in; an unknown one takes its default, or stays as it is written."""

    def replaced(match: re.Match[str]) -> str:
        known = variables.get(match["braced"] or match["plain"])
        if known is not None:
            return known
        return match["default"] if match["default"] is not None else match.group(0)

    return _VARIABLE.sub(replaced, value)


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with their continuations joined, each with the number of its first line; comments left out.

    As in a shell, a line that is a comment ends the command before it, whatever stands at its own end.
    """
    lines: list[tuple[int, str]] = []
    parts: list[str] = []
    began = 1
    for number, line in enumerate(text.splitlines(), 1):
        began = number if not parts else began
        comment = line.lstrip().startswith("#")
        continued = not comment and line.rstrip().endswith("\\")
        if not comment:
            parts.append(line.rstrip().removesuffix("\\") if continued else line)
        if parts and not continued:
            lines.append((began, " ".join(parts)))
            parts = []
    return [*lines, (began, " ".join(parts))] if parts else lines
