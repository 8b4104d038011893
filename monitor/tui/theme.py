"""Colours by meaning. A state is never told by its colour alone: `SIGNS` gives each its own character beside a word.

Does not cover other themes than the dark one; a palette is a plain mapping, so that another is another mapping.
"""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style

BACKGROUND = "#10131a"
RAISED = "#1b2130"

DARK: dict[str, str] = {
    "text": "#c9d1dc",
    "strong": "bold #f2f5f9",
    "dim": "#7d8796",
    "faint": "#4d5666",
    "rule": "#333c4c",
    "title": "bold #8fb8ff",
    "name": "#9fd0ff",
    "number": "#e6ebf2",
    "ok": "#6bd6a8",
    "ok-strong": "bold #6bd6a8",
    "warn": "#f2b661",
    "warn-strong": "bold #f2b661",
    "bad": "#ff7b72",
    "bad-strong": "bold #ff7b72",
    "info": "#7fb2ff",
    "unknown": "#c4a7f5",
    "unknown-strong": "bold #c4a7f5",
    "bar": "#5aa9e6",
    "bar-back": "#2a3242",
    "key": f"bold #f2f5f9 on {RAISED}",
    "key-plain": "bold #f2f5f9",
    "key-text": f"#a9b4c4 on {RAISED}",
    "band": f"#c9d1dc on {RAISED}",
    "band-strong": f"bold #f2f5f9 on {RAISED}",
    "band-dim": f"#8a95a6 on {RAISED}",
    "band-ok": f"#6bd6a8 on {RAISED}",
    "band-bad": f"bold #ff7b72 on {RAISED}",
    "band-warn": f"#f2b661 on {RAISED}",
    "tab": f"#8a95a6 on {RAISED}",
    "tab-here": "bold #10131a on #8fb8ff",
    "selected": "bold #f2f5f9 on #263450",
    "banner-ok": "bold #10131a on #6bd6a8",
    "banner-warn": "bold #10131a on #f2b661",
    "banner-bad": "bold #10131a on #ff7b72",
    "banner-unknown": "bold #10131a on #c4a7f5",
    "banner-info": "bold #10131a on #7fb2ff",
}
"""Style name → rich style. Names ending in `-strong` are for the one word that must be read first."""

SIGNS = {"ok": "✓", "warn": "!", "bad": "✗", "unknown": "?", "info": "▸"}
"""State → the sign that tells it without colour."""


@lru_cache(maxsize=512)
def style(name: str, action: str = "") -> Style:
    """The rich style of a name; unknown names look like text. A click on it does `action`, where one is given."""
    base = Style(bgcolor=BACKGROUND) + Style.parse(DARK.get(name, DARK["text"]))
    return base + Style.from_meta({"@click": action}) if action else base
