"""Dicts printed by pprint over many lines, collected and read without ever running them.

Covers the resolved configuration (nested) and `… metrics: {…}` strings that pprint quotes and wraps. What
`ast.literal_eval` refuses (an object's repr inside, a line lost between) is read key by key where a key is unambiguous.
"""

from __future__ import annotations

import ast
import contextlib
import re
from typing import Any

from monitor.sources.step_metrics import number, parse_line

LONGEST = 1 << 20
MOST_LINES = 5000
MOST_STRANGERS = 20
"""Lines of the same process that are no part of the value, printed in its middle (a warning): more, and it is over."""
_GOES_ON = re.compile(r"^(?:\s|[{}()\[\],:'\"]|$|(?:None|True|False|nan|inf|-?\d[\d.e+-]*)[,})\]:]*\s*$)")
"""How a line that goes on begins. Ray forwards what a process writes piece by piece, so that a line of pprint's may
come torn in two: `'capture_sizes': None`, then `,`."""
_REST = re.compile(r"^[^'\"]*['\"]\s*(?:[,:})\]]|$)")
"""The rest of a line that was torn inside a string: `'verl.worker`, then `s.engine',`."""
_PAIR = re.compile(r"['\"]([\w/@.\-]+)['\"]\s*:\s*((?:np\.\w+\()?[-+]?[\d.][\d.eE+\-]*\)?|nan|inf)")
_LEAF = re.compile(r"'(\w+)':\s*(None|True|False|-?\d+(?:\.\d+)?(?:e-?\d+)?|'(?:[^'\\]|\\.)*')(?=\s*[,}\])])")
"""A key and its plain value, up to what ends it: of a number that was torn, the first half would be another number."""


class PrintedDict:
    """Collects the lines of one printed value until its brackets close."""

    def __init__(self, kind: str, line_number: int) -> None:
        self.kind = kind
        self.line_number = line_number
        self.text = ""
        self._depth = 0
        self._quote = ""
        self._open = ""
        """The quote that the last line left open: torn there, or an odd apostrophe."""
        self._lines = 0
        self._strangers = 0

    def takes(self, line: str) -> bool:
        """True where `line` may be a part of the value."""
        if _GOES_ON.match(line) or self._is_rest(line):
            return True
        self._strangers += 1
        return False

    def add(self, line: str) -> bool:
        """Take one more line; True once the value is whole."""
        if self._is_rest(line):
            self.text, self._quote = self.text[:-1], self._open
        self.text += line + "\n"
        self._lines += 1
        self._scan(line)
        return self._depth <= 0

    def _is_rest(self, line: str) -> bool:
        return bool(self._open and _REST.match(line))

    @property
    def hopeless(self) -> bool:
        """Too long to be a printed configuration."""
        return self._lines > MOST_LINES or len(self.text) > LONGEST or self._strangers > MOST_STRANGERS

    def _scan(self, line: str) -> None:
        skip = False
        for character in line:
            if skip:
                skip = False
            elif self._quote:
                if character == "\\":
                    skip = True
                elif character == self._quote:
                    self._quote = ""
            elif character in "'\"":
                self._quote = character
            elif character in "{[(":
                self._depth += 1
            elif character in "}])":
                self._depth -= 1
        # pprint never breaks a line inside a string literal: an odd apostrophe, or a torn line, whose rest tells.
        self._open, self._quote = self._quote, ""


def read_dict(text: str) -> dict[str, Any]:
    """The printed dict; where it can't be parsed as a whole, its unambiguous keys, flat, at `*.key`."""
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _by_keys(text)
    return value if isinstance(value, dict) else {}


def _by_keys(text: str) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for name, literal in _LEAF.findall(text):
        # A string over two lines, or with an escape that is none, is no literal: torn, it says nothing.
        with contextlib.suppress(ValueError, SyntaxError):
            found.setdefault(name, []).append(ast.literal_eval(literal))
    return {f"*.{name}": values[0] for name, values in found.items() if len(values) == 1}


def look_up(config: dict[str, Any], dotted: str, *, exact: bool = False) -> Any:
    """The value at `a.b.c`, None where there is none; of a dict read key by key, the one at its last name.

    `exact`: not the latter, for a last name that many keys share (`enable`).
    """
    value: Any = config
    for name in dotted.split("."):
        if not isinstance(value, dict) or name not in value:
            return None if exact else config.get(f"*.{dotted.rpartition('.')[2]}")
        value = value[name]
    return value


def line_metrics(text: str) -> dict[str, float]:
    """The metrics of one line: a dict, or `key:value` joined by ` - `."""
    return read_metrics(text) if text.startswith("{") else parse_line(text)


def read_metrics(text: str) -> dict[str, float]:
    """The metrics in `… metrics: {…}`, as pprint writes it: quoted, wrapped, with numpy's numbers."""
    try:
        joined = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        joined = None
    body = joined if isinstance(joined, str) else text
    metrics = {name: number(value) for name, value in _PAIR.findall(body)}
    return {name: value for name, value in metrics.items() if value is not None}
