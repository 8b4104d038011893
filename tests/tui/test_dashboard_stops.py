"""Stopping a hung run through the dashboard: planned, confirmed by typed words, refused when read-only."""

from __future__ import annotations

import pytest

from monitor.model.errors import LaststepError
from tests.tui import examples
from tests.tui.fakes import FakeStops
from tests.tui.session import opened

LOSS = "lose the weights of step 29"


@pytest.mark.asyncio
async def test_enter_alone_stops_nothing_and_the_phrase_stops() -> None:
    stops = FakeStops()
    async with opened(examples.hanging(), stops=stops) as session:
        await session.press("2", "X")
        await session.until_shown("other jobs in it, stay")
        await session.press("enter", "y", "enter")
        assert "Nothing is stopped" in session.text
        assert stops.stopped == []
        await session.press("backspace", *examples.RUN, "enter")
        await session.until_shown("is stopped")
        assert [planned.run for planned in stops.stopped] == [examples.RUN]


@pytest.mark.asyncio
async def test_weights_that_would_be_lost_need_their_own_phrase_after_the_first() -> None:
    stops = FakeStops("yes it hangs", LOSS)
    async with opened(examples.hanging(), stops=stops) as session:
        await session.press("2", "X")
        await session.until_shown("yes it hangs")
        await session.press(*("space" if key == " " else key for key in "yes it hangs"), "enter")
        await session.until_shown(LOSS)
        await session.press("enter")
        assert stops.stopped == []
        await session.press(*("space" if key == " " else key for key in LOSS), "enter")
        await session.until_shown("is stopped")


@pytest.mark.asyncio
async def test_escape_leaves_the_plan_and_stops_nothing() -> None:
    stops = FakeStops()
    async with opened(examples.hanging(), stops=stops) as session:
        await session.press("2", "X")
        await session.until_shown("other jobs in it, stay")
        await session.press("escape", "escape", *examples.RUN, "enter")
        assert stops.stopped == []


@pytest.mark.asyncio
async def test_a_refusal_is_said_with_its_cure() -> None:
    stops = FakeStops(problem=LaststepError("the driver can't be seen from here", "call it there"))
    async with opened(examples.hanging(), stops=stops) as session:
        await session.press("2", "X")
        assert "call it there" in await session.until_shown("the driver can't be seen")


@pytest.mark.asyncio
async def test_a_read_only_dashboard_has_no_such_key() -> None:
    stops = FakeStops()
    async with opened(examples.hanging(), read_only=True, stops=stops) as session:
        await session.press("2", "X")
        assert "driver (pid 7)" not in session.text
        assert "typed words stop it" not in await session.press("question_mark")
