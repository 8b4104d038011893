"""The list of runs on the Run screen: each with its machine and how it is, gone through by key and by click."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model.finding import VerdictWord
from monitor.model.other_host import HostRun, OtherHost
from monitor.model.reading import Reading, Unknown
from monitor.tui.cells import cell_len, plain, width_of
from monitor.tui.screen_data import RunRow, ScreenData
from monitor.tui.screens import runs_list
from tests.tui import examples
from tests.tui.session import Session, opened

NOW = examples.NOW
HUNG = RunRow("ppo-20270115T060000Z", NOW - 7000, "verl", 3, 9, host="gpu-b", hung_since=NOW - 360)
DONE = replace(examples.OLDER, host="gpu-c", ended_how="killed")


def several() -> ScreenData:
    own = replace(examples.healthy().runs[0], host="gpu-a")
    return examples.healthy(runs=(own, HUNG, DONE, RunRow("lost-20270101T000000Z", NOW - 9000)))


@pytest.mark.parametrize("width", [57, 64, 80, 120])
def test_every_run_says_how_it_is_since_when_and_on_which_machine(width: int) -> None:
    section = runs_list.section(several(), width, rank=0)
    shown = [plain(row) for row in section.lines]
    assert all(width_of(row) <= width for row in section.lines)
    for row, words in zip(shown, ("✓ running", "✗ hangs since 6 min", "! killed", "✓ running")):
        assert words in row
    for row, host in zip(shown, ("gpu-a", "gpu-b", "gpu-c", "? host")):
        assert row.rstrip().endswith(host) or (width >= runs_list.WIDE and f" {host} " in row)
    assert "3 machines" in section.note


def test_runs_of_one_experiment_are_told_apart_where_their_names_are_cut() -> None:
    section = runs_list.section(examples.hanging(), 50, rank=0)
    assert [name in plain(row) for row, name in zip(section.lines, ("15T075800Z", "14T101500Z"))] == [True, True]


def test_one_run_alone_needs_no_list() -> None:
    assert runs_list.section(examples.healthy(), 80, rank=0).lines == ()


async def asked(session: Session) -> str | None:
    """The run that the ledger is asked for last."""
    await session.until(lambda: session.ledger.asked[-1] is not None)
    return session.ledger.asked[-1]


async def test_the_brackets_look_at_the_runs_below_and_above_and_stop_at_the_ends() -> None:
    async with opened(several(), (120, 40)) as session:
        text = await session.press("left_square_bracket")
        assert "no further run" in text
        await session.press("right_square_bracket")
        assert await asked(session) == HUNG.name


@pytest.mark.parametrize("size", [(120, 40), (200, 50)])
async def test_a_click_on_a_run_of_the_list_looks_at_it(size: tuple[int, int]) -> None:
    async with opened(several(), size) as session:
        rows = session.text.splitlines()
        row = next(number for number, text in enumerate(rows) if "hangs since 6 min" in text)
        column = rows[row].index("060000Z")
        await session.pilot.click("#body", offset=(column, row - 2))
        assert await asked(session) == HUNG.name


async def test_a_run_that_was_never_watched_shows_what_the_ledger_holds_of_it() -> None:
    data = replace(examples.hanging(), live=None, live_problem="")
    async with opened(data, (120, 40)) as session:
        text = session.text
    assert "not-final" in text and "score over steps" in text and "0.5547" in text


def elsewhere(*hosts: OtherHost) -> ScreenData:
    return replace(several(), others=hosts)


def test_runs_of_other_machines_stand_in_the_same_list_and_a_silent_one_says_why() -> None:
    run = HostRun("dapo-20270115T070000Z", VerdictWord.HANG, 40, 200, "self-get")
    silent = Unknown("runs on gpu-e", NOW - 14, "it gave no answer within 10 s", "try `ssh gpu-e …` by hand")
    data = elsewhere(
        OtherHost("gpu-d", Reading(NOW - 3, (run,))),
        OtherHost("gpu-e", Reading(NOW - 1, None, silent)),
        OtherHost("gpu-f", Reading(NOW - 1, ())),
        OtherHost("gpu-g", Reading(NOW - 90, (replace(run, word=VerdictWord.HEALTHY, hang_class=""),))),
    )
    section = runs_list.section(data, 80, rank=0)
    shown = [plain(row) for row in section.lines]
    assert "7 machines" in section.note
    assert "✗ hang self-get  step 40/200" in shown[1] and shown[1].rstrip().endswith("gpu-d")
    assert "? runs on gpu-e  unknown, since 14 s, because it gave no answer within 10 s" in " ".join(shown)
    assert any("no live run is watched" in row and "gpu-f" in row for row in shown)
    assert any("✓ healthy  step 40/200, read 1 min ago" in row for row in shown)


@pytest.mark.parametrize(
    "bad", ["\x1b[31mname\x1b]0;x\x07", "\u202egnp", "日本語" * 30, "e" + "\u0301" * 60, "x" * 5000]
)
async def test_hostile_names_from_another_machine_are_text_and_keep_the_rows_in_their_width(bad: str) -> None:
    run = HostRun(bad, VerdictWord.STALL, 1, 2, bad)
    silent = Unknown(bad, NOW - 14, bad, bad)
    data = elsewhere(OtherHost(bad, Reading(NOW, (run,))), OtherHost("b", Reading(NOW, None, silent)))
    async with opened(data, (120, 40)) as session:
        rows = session.text.splitlines()
    assert all(cell_len(row) <= 120 and row.isprintable() for row in rows)
