"""The registry of actions: no key twice, each a method, all in palette and help, none that acts when read-only."""

from __future__ import annotations

from monitor.tui.actions import ACTIONS, VIEWS, actions
from monitor.tui.dashboard import Dashboard
from tests.tui import examples
from tests.tui.session import opened


def test_no_key_does_two_things_on_one_screen() -> None:
    for view in VIEWS:
        keys = [key for action in ACTIONS if not action.views or view in action.views for key in action.keys]
        assert len(keys) == len(set(keys))


def test_every_action_is_a_method_of_the_dashboard() -> None:
    assert all(hasattr(Dashboard, f"action_{action.name.split('(')[0]}") for action in ACTIONS)


async def test_palette_and_help_hold_every_action_and_read_only_takes_away_those_that_act() -> None:
    async with opened(examples.healthy(), (200, 50), read_only=True) as session:
        palette = {command.help for command in session.app.get_system_commands(session.app.screen)}
        assert palette == {action.help for action in actions(read_only=True)}
        text = await session.press("question_mark")
        assert all(action.help in text for action in actions(read_only=True))
        assert not any(action.help in text for action in ACTIONS if action.changes)


async def test_a_saved_screen_is_svg_and_the_text_that_was_seen(monkeypatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with opened(examples.hanging()) as session:
        seen = session.text
        await session.press("s")
        await session.until_shown("Saved as")
        (text,), (svg,) = tmp_path.rglob("*.txt"), tmp_path.rglob("*.svg")
        assert text.read_text(encoding="utf-8") == seen + "\n"
        assert svg.read_text(encoding="utf-8").startswith("<svg")
