"""Colours by meaning, in five themes. A state is never told by its colour alone: `SIGNS` gives each its own sign.

Covers dark, light, colour-blind safe (the palette of Okabe and Ito, https://jfly.uni-koeln.de/color/), the terminal's
own sixteen colours, and none at all (`NO_COLOR`, https://no-color.org). Does not cover which one is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.style import Style

SIGNS = {"ok": "✓", "warn": "!", "bad": "✗", "unknown": "?", "info": "▸"}
"""State → the sign that tells it without colour."""


@dataclass(frozen=True)
class Colours:
    """What a theme chooses: colours as rich names them. `inverse` is the text on a filled banner."""

    background: str
    raised: str
    text: str
    strong: str
    dim: str
    faint: str
    rule: str
    title: str
    name: str
    ok: str
    warn: str
    bad: str
    info: str
    unknown: str
    bar: str
    bar_back: str
    selected: str
    inverse: str


@dataclass(frozen=True)
class Theme:
    """A named set of styles. `styles`: style name → rich style; names in `-strong` are for the word read first."""

    name: str
    colours: Colours
    dark: bool = True
    ansi: bool = False
    """Its colours are the terminal's own, so they are sent by number."""
    styles: Mapping[str, str] = field(default_factory=dict)
    _made: dict[tuple[str, str], Style] = field(default_factory=dict, compare=False, repr=False)

    def style(self, name: str, action: str = "") -> Style:
        """The rich style of a name; unknown names look like text. A click on it does `action`, where one is given."""
        made = self._made.get((name, action))
        if made is None:
            base = Style(bgcolor=self.colours.background) + Style.parse(self.styles.get(name, self.styles["text"]))
            made = base + Style.from_meta({"@click": action}) if action else base
            self._made[name, action] = made
        return made


def _styles(c: Colours) -> dict[str, str]:
    plain = {"text": c.text, "strong": f"bold {c.strong}", "dim": c.dim, "faint": c.faint, "rule": c.rule}
    plain |= {"title": f"bold {c.title}", "name": c.name, "number": c.strong, "bar": c.bar, "bar-back": c.bar_back}
    states = {"ok": c.ok, "warn": c.warn, "bad": c.bad, "info": c.info, "unknown": c.unknown}
    for state, colour in states.items():
        plain |= {state: colour, f"{state}-strong": f"bold {colour}"}
        plain[f"banner-{state}"] = f"bold {c.inverse} on {colour}"
    band = f"on {c.raised}"
    plain |= {"key": f"bold {c.strong} {band}", "key-plain": f"bold {c.strong}", "key-text": f"{c.text} {band}"}
    plain |= {"band": f"{c.text} {band}", "band-strong": f"bold {c.strong} {band}", "band-dim": f"{c.dim} {band}"}
    plain |= {"band-ok": f"{c.ok} {band}", "band-bad": f"bold {c.bad} {band}", "band-warn": f"{c.warn} {band}"}
    plain |= {"tab": f"{c.dim} {band}", "tab-here": f"bold {c.inverse} on {c.title}"}
    return plain | {"selected": f"bold {c.strong} on {c.selected}", "found": f"bold {c.inverse} on {c.warn}"}


def _theme(name: str, colours: Colours, *, dark: bool = True) -> Theme:
    return Theme(name, colours, dark, styles=_styles(colours))


DARK = _theme(
    "dark",
    Colours(
        background="#10131a",
        raised="#1b2130",
        text="#c9d1dc",
        strong="#f2f5f9",
        dim="#8a95a6",
        faint="#7a8496",
        rule="#333c4c",
        title="#8fb8ff",
        name="#9fd0ff",
        ok="#6bd6a8",
        warn="#f2b661",
        bad="#ff7b72",
        info="#7fb2ff",
        unknown="#c4a7f5",
        bar="#5aa9e6",
        bar_back="#2a3242",
        selected="#263450",
        inverse="#10131a",
    ),
)

LIGHT = _theme(
    "light",
    Colours(
        background="#fbfbf8",
        raised="#e8eaee",
        text="#2b3138",
        strong="#0b0e12",
        dim="#5b6470",
        faint="#6a727d",
        rule="#c3c8d0",
        title="#1f4e9e",
        name="#0b5a8a",
        ok="#12704a",
        warn="#8a5300",
        bad="#b3261e",
        info="#2456a6",
        unknown="#6b3fa0",
        bar="#2f7fc1",
        bar_back="#c9ced6",
        selected="#cfdcf5",
        inverse="#fbfbf8",
    ),
    dark=False,
)

SAFE = _theme(
    "colour-blind",
    Colours(
        background="#10131a",
        raised="#1b2130",
        text="#d3d8e0",
        strong="#ffffff",
        dim="#949eac",
        faint="#7c8694",
        rule="#38404e",
        title="#ffffff",
        name="#b9d9ee",
        ok="#56b4e9",
        warn="#f0e442",
        bad="#f07c2c",
        info="#c3ccd8",
        unknown="#dd8fbb",
        bar="#56b4e9",
        bar_back="#323b49",
        selected="#2c3a55",
        inverse="#10131a",
    ),
)

_ANSI = Colours(
    background="default",
    raised="default",
    text="default",
    strong="default",
    dim="bright_black",
    faint="bright_black",
    rule="bright_black",
    title="blue",
    name="cyan",
    ok="green",
    warn="yellow",
    bad="red",
    info="blue",
    unknown="magenta",
    bar="blue",
    bar_back="bright_black",
    selected="default",
    inverse="default",
)
_FILLED = {f"banner-{state}": f"bold reverse {getattr(_ANSI, state)}" for state in SIGNS}
_FILLED |= {"tab-here": "bold reverse", "selected": "reverse", "found": "bold reverse yellow"}

ANSI = Theme("ansi", _ANSI, ansi=True, styles={**_styles(_ANSI), **_FILLED})

_REVERSED = ("banner-", "tab-here", "selected", "found")
_HEAVY = ("strong", "title", "key", "bad", "warn")

NONE = Theme(
    "none",
    _ANSI,
    ansi=True,
    styles={
        name: "bold reverse" if name.startswith(_REVERSED) else "bold" if name.startswith(_HEAVY) else "default"
        for name in _styles(_ANSI)
    },
)

THEMES: Mapping[str, Theme] = {theme.name: theme for theme in (DARK, LIGHT, SAFE, ANSI, NONE)}
"""By name; `none` is what NO_COLOR gives."""


def chosen(name: str, *, no_color: bool) -> Theme:
    """The theme of a name; `auto` is the dark one, or none at all where NO_COLOR is set. Raises KeyError."""
    if name == "auto":
        return NONE if no_color else DARK
    return THEMES[name]


def following(theme: Theme) -> Theme:
    """The next one, for the key that goes through them."""
    names = list(THEMES)
    return THEMES[names[(names.index(theme.name) + 1) % len(names)]]
