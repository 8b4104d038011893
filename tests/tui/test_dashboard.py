"""The dashboard through its keys, at three sizes: what the screens say, in text cells."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from monitor.model.errors import LaststepError
from monitor.tui.actions import ACTIONS
from monitor.tui.live import parse
from monitor.tui.screen_data import ScreenData
from monitor.tui.widgets.canvas import Canvas
from tests.tui import examples
from tests.tui.fakes import dashboard, rows
from tests.tui.session import opened

SIZES = [(80, 24), (120, 40), (200, 50)]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_the_first_glance_answers_the_three_questions(size: tuple[int, int]) -> None:
    async with opened(examples.hanging(), size) as session:
        text = session.text
        assert "✗ HANG" in text
        assert "nothing moved for 14 s; control-queue, proved" in text
        assert "step 29/29" in text
        assert "missing-final" in text
        assert "131/256 samples" in text
        assert len(rows(session.app)) == size[1]


@pytest.mark.asyncio
async def test_more_room_shows_more_never_something_else() -> None:
    seen = []
    for size in SIZES:
        async with opened(examples.healthy(), size) as session:
            seen.append(session.text)
    titles = ("validation", "phases", "gpus", "processes", "log", "alive", "how far", "score")
    for text in seen:
        assert [title for title in titles if title not in text] == []
    assert "score over steps" in seen[1]
    assert "score over steps" in seen[2]
    assert seen[0].count("pid") < seen[2].count("pid")


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "question_mark"])
async def test_every_row_of_every_screen_fits(size: tuple[int, int], key: str) -> None:
    async with opened(examples.reran(), size) as session:
        await session.press(key)
        strips = session.app.screen._compositor.render_strips()
        assert [strip.cell_length for strip in strips] == [size[0]] * size[1]
        assert rows(session.app)[-1].strip()


@pytest.mark.asyncio
async def test_the_hang_screen_shows_chain_evidence_culprit_and_bundle() -> None:
    async with opened(examples.hanging(), (120, 40)) as session:
        text = await session.press("2")
        for words in ("who waits for whom", "driver (pid 4401)", "↺ a cycle", "evidence", "rollout.py:118"):
            assert words in text
        assert "proved, 6.21 s after the last progress" in text
        assert examples.BUNDLE in text


@pytest.mark.asyncio
async def test_a_silent_source_says_since_when_and_why() -> None:
    async with opened(examples.healthy()) as session:
        assert "unknown, since 1 min, because no NVML library is on this machine" in session.text


@pytest.mark.asyncio
async def test_a_dead_watch_is_said_with_how_to_start_one_and_no_verdict_is_claimed() -> None:
    old = examples.healthy(now=examples.NOW + 40, watch_alive=False)
    async with opened(old) as session:
        assert "watch dead" in session.text
        assert "laststep watch" in session.text
        assert "✓ HEALTHY" not in session.text
        assert "? UNKNOWN" in session.text


@pytest.mark.asyncio
async def test_a_ledger_that_cannot_be_read_keeps_the_last_screen_and_says_why() -> None:
    async with opened(examples.hanging()) as session:
        session.ledger.error = LaststepError("the ledger is locked", "try again")
        session.app.feed.read_now()
        text = await session.until_shown("the ledger is locked")
        assert "missing-final" in text
        session.ledger.error = None
        session.app.feed.read_now()
        await session.until(lambda: "locked" not in session.text)


@pytest.mark.asyncio
async def test_an_empty_ledger_says_what_to_do() -> None:
    async with opened(ScreenData(examples.NOW)) as session:
        assert "laststep watch" in session.text


@pytest.mark.asyncio
async def test_the_log_is_filtered_by_a_regular_expression_while_it_is_typed() -> None:
    async with opened(examples.healthy()) as session:
        await session.press("5", "slash", *"step:2[0-9]")
        assert "1 of 6 lines match" in session.text
        assert "validation generation end" not in session.text
        await session.press("enter", "escape")
        assert "validation generation end" in session.text


@pytest.mark.asyncio
async def test_a_broken_regular_expression_is_searched_for_as_it_is() -> None:
    async with opened(examples.healthy(), (200, 50)) as session:
        text = await session.press("5", "slash", *"[01")
        assert "taken literally" in text
        assert "28/29 [01:08" in text


@pytest.mark.asyncio
async def test_enter_on_a_run_shows_that_run() -> None:
    async with opened(examples.hanging()) as session:
        await session.press("3", "end", "enter")
        await session.until(lambda: session.ledger.asked[-1] == examples.OLDER.name)


@pytest.mark.asyncio
async def test_nothing_new_repaints_nothing() -> None:
    """What is on the screen stays; a second reading with the same content touches no row."""
    async with opened(examples.healthy()) as session:
        repainted: list[int] = []
        show = Canvas.show_lines
        for canvas in session.app.query(Canvas):
            canvas.show_lines = lambda lines, canvas=canvas: repainted.append(show(canvas, lines))  # type: ignore
        session.app.paint()
        session.app.on_reading(type("Again", (), {"data": replace(session.app.data)})())  # type: ignore[arg-type]
        assert repainted == [0] * 6


@pytest.mark.asyncio
async def test_hostile_names_and_lines_reach_the_screen_as_text() -> None:
    bad = "\x1b]0;owned\x07\x1b[2Jrun [bold red]name[/] \u202eabc"
    live = parse(examples.document(log={"path": "/x", "tail": [bad]}))
    hostile = examples.healthy(live=live, run=bad, notices=(bad,), live_problem=bad)
    async with opened(hostile, (120, 40)) as session:
        for key in ("1", "2", "3", "4", "5"):
            text = await session.press(key)
            assert all(character.isprintable() for row in text.split("\n") for character in row)
        assert "[bold red]name[/]" in await session.press("1")


@pytest.mark.asyncio
async def test_every_action_has_a_method_and_a_line_in_the_help() -> None:
    async with opened(examples.healthy(), (120, 60)) as session:
        text = await session.press("question_mark")
        for action in ACTIONS:
            assert hasattr(session.app, f"action_{action.name.split('(')[0]}")
            assert action.help in text


@pytest.mark.asyncio
async def test_the_palette_offers_the_registry_and_acts() -> None:
    async with opened(examples.hanging()) as session:
        await session.press("ctrl+p")
        await session.pilot.press(*"hang")
        await session.until_shown("Hang (2)")
        await session.pilot.press("enter")
        await session.until(lambda: session.app.state.view == "hang")


@pytest.mark.asyncio
async def test_a_click_on_a_tab_opens_it() -> None:
    async with opened(examples.hanging()) as session:
        column = rows(session.app)[0].index("2 Hang")
        await session.pilot.click("#head", offset=(column + 1, 0))
        await session.until(lambda: session.app.state.view == "hang")


@pytest.mark.asyncio
async def test_the_bundle_key_shows_where_it_lies() -> None:
    async with opened(examples.hanging()) as session:
        await session.press("b")
        await session.until_shown(examples.BUNDLE)
        await session.press("escape")
        assert session.app.state.report is None


@pytest.mark.asyncio
async def test_the_smallest_terminals_do_not_break_it() -> None:
    for size in [(20, 5), (1, 1), (40, 10)]:
        app, _ = dashboard(examples.reran())
        async with app.run_test(size=size) as pilot:
            for key in ("1", "2", "3", "4", "5", "question_mark", "r"):
                await pilot.press(key)
                await pilot.pause()


@pytest.mark.asyncio
@pytest.mark.parametrize("view", ["2", "3", "5"])
async def test_how_much_lies_below_is_said_whole_beside_the_keys(view: str) -> None:
    async with opened(examples.hanging(), (80, 24)) as session:
        text = await session.press(view, "question_mark")
        assert re.search(r"↓ \d+ more lines$", text.splitlines()[-1].rstrip())
