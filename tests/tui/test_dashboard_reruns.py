"""Reruns through the dashboard: planned, confirmed by a name, followed to their proofs; or refused."""

from __future__ import annotations

import pytest

from monitor.model.errors import LaststepError
from monitor.model.score import Standing
from monitor.tui.rerun_flow import Stage
from tests.tui import examples
from tests.tui.fakes import FakeReruns, rows
from tests.tui.session import opened


@pytest.mark.asyncio
async def test_enter_alone_never_launches_the_whole_name_does() -> None:
    async with opened(examples.hanging()) as session:
        await session.press("r")
        await session.until_shown("launch?")
        assert session.reruns.asked == [(examples.RUN, None)]
        await session.press("enter", "enter", "y", "enter")
        assert session.reruns.launches == []
        assert "Not launched" in session.text
        await session.press("backspace", *examples.RUN[:-1], "enter")
        assert session.reruns.launches == []
        await session.press(examples.RUN[-1], "enter")
        await session.until(lambda: session.app.state.flow.stage is Stage.LAUNCHED)
        assert len(session.reruns.launches) == 1


@pytest.mark.asyncio
async def test_a_launched_rerun_is_followed_to_its_proofs() -> None:
    async with opened(examples.hanging()) as session:
        await session.press("r")
        await session.until_shown("launch?")
        await session.press(*examples.RUN, "enter")
        await session.until(lambda: session.app.state.flow.stage is Stage.LAUNCHED)
        running = examples.rerun_row("evaluating", 64)
        text = await session.read(examples.hanging(reruns=(running,)))
        assert "64/256 samples" in text
        assert "4 Rerun 25 %" in text
        text = await session.read(examples.reran())
        assert "✓ valid" in text
        assert "are the checkpoint's and not the start model's" in text
        assert "12/12 linear layers" in text


@pytest.mark.asyncio
async def test_a_refused_plan_names_the_failed_line_and_its_cure_and_asks_for_nothing() -> None:
    async with opened(examples.hanging(), reruns=FakeReruns(examples.planned(refused=True))) as session:
        await session.press("r")
        text = await session.until_shown("refused")
        assert "the checkpoint lacks" in text
        assert "--step 20" in text
        await session.press(*examples.RUN, "enter")
        assert session.reruns.launches == []


@pytest.mark.asyncio
async def test_what_can_not_be_planned_is_said_with_its_cure() -> None:
    problem = LaststepError("the last step is not known", "name the step: laststep rerun RUN --step N")
    async with opened(examples.hanging(), reruns=FakeReruns(problem=problem)) as session:
        await session.press("r")
        text = await session.until_shown("the last step is not known")
        assert "name the step" in text


@pytest.mark.asyncio
async def test_escape_leaves_the_plan_without_launching() -> None:
    async with opened(examples.hanging()) as session:
        await session.press("r")
        await session.until_shown("launch?")
        assert "Nothing was launched" in await session.press("escape")
        await session.press("escape")
        assert "launch?" not in session.text
        await session.press(*examples.RUN, "enter")
        assert session.reruns.launches == []


@pytest.mark.asyncio
async def test_a_rerun_is_planned_for_the_selected_score_of_the_final_step() -> None:
    partial = examples.score(29, 0.5, Standing.PARTIAL, reasons=("131 of 256 samples",))
    async with opened(examples.hanging(scores=(*examples.scores(), partial))) as session:
        await session.press("3", "down", "down", "down")
        assert "131 of 256 samples" in session.text
        await session.press("r")
        await session.until_shown("launch?")
        assert session.reruns.asked == [(examples.RUN, 29)]


@pytest.mark.asyncio
async def test_for_a_score_that_is_not_final_the_final_one_is_planned() -> None:
    async with opened(examples.hanging()) as session:
        await session.press("3", "down", "down")
        assert "step 20 is not the run's last step" in session.text
        await session.press("r")
        await session.until_shown("launch?")
        assert session.reruns.asked == [(examples.RUN, None)]


@pytest.mark.asyncio
async def test_read_only_drops_the_key_its_footer_and_its_help() -> None:
    async with opened(examples.hanging(), read_only=True) as session:
        assert "r rerun" not in rows(session.app)[-1]
        await session.press("r")
        assert session.reruns.asked == []
        assert "plan the rerun" not in await session.press("question_mark")
