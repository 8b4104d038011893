"""Themes: each names every style, states differ by more than colour, contrast is enough to read."""

from __future__ import annotations

import pytest
from rich.color import Color

from monitor.settings import THEME_NAMES
from monitor.tui.theme import DARK, NONE, SIGNS, THEMES, Theme, chosen, following
from tests.tui import examples
from tests.tui.session import opened

PAINTED = [theme for theme in THEMES.values() if not theme.ansi]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [part / 255 for part in Color.parse(colour).get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", PAINTED, ids=lambda theme: theme.name)
def test_every_state_and_text_can_be_read_on_its_background(theme: Theme) -> None:
    for name in ("text", "strong", "dim", "faint", "title", "name", *SIGNS):
        colours = sorted(luminance(c) for c in (getattr(theme.colours, name), theme.colours.background))
        assert (colours[1] + 0.05) / (colours[0] + 0.05) >= 4.5, name


def test_every_theme_has_the_same_styles_and_its_name_is_a_setting() -> None:
    assert {frozenset(theme.styles) for theme in THEMES.values()} == {frozenset(DARK.styles)}
    assert set(THEMES) == set(THEME_NAMES) - {"auto"}


def test_without_colour_no_style_has_one() -> None:
    for name in NONE.styles:
        made = NONE.style(name)
        assert all(colour is None or colour.is_default for colour in (made.color, made.bgcolor))


def test_no_color_holds_over_auto_and_not_over_a_theme_that_was_asked_for() -> None:
    assert chosen("auto", no_color=True) is NONE
    assert chosen("light", no_color=True).name == "light"


@pytest.mark.parametrize("theme", THEMES)
async def test_a_screen_says_the_same_in_every_theme(theme: str) -> None:
    async with opened(examples.hanging()) as session:
        before = session.text
        session.app.take_palette(THEMES[theme])
        await session.pilot.pause()
        assert session.text == before


async def test_the_key_goes_through_all_themes() -> None:
    async with opened(examples.healthy()) as session:
        seen = []
        for _ in THEMES:
            await session.press("t")
            seen.append(session.app.palette.name)
        assert seen[-1] == DARK.name and set(seen) == set(THEMES)
        assert following(NONE) is DARK
