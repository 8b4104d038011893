"""Evidence on demand: a link of the chain, chosen by key or click, shows what names its place, call or process."""

from __future__ import annotations

from monitor.diagnose.stack_tree import StackNode
from monitor.model.finding import WaitLink
from monitor.model.snapshot import Frame
from monitor.tui.bundle_stacks import Stacks
from monitor.tui.cells import plain, width_of
from monitor.tui.screens import link_evidence
from tests.tui import examples
from tests.tui.session import opened

FINDING = examples.finding()
SERVER = "RolloutServer rollout_server_0 (pid 4711)"


def shown(link: WaitLink, stacks: Stacks | None = None, width: int = 100) -> str:
    rows = link_evidence.lines(link, FINDING, stacks, examples.NOW, width)
    assert all(width_of(row) <= width for row in rows)
    return " ".join(plain(row).replace("┃", "").strip() for row in rows)


def stack(place: int, count: int, process: str) -> StackNode:
    frames = (Frame("RolloutServer._wait", "/opt/rollout.py", place), Frame("Event.wait", "/usr/lib/locks.py", 213))
    return StackNode(frames, count, (process,), (), (), False)


def test_names_are_places_calls_and_pids_and_a_place_is_no_call() -> None:
    names = link_evidence.names_in("A.run (pid 7) waits at rollout.py:118 for B.update_weights")
    assert names.places == {"rollout.py:118"}
    assert names.calls == {"A.run", "B.update_weights"}
    assert names.pids == {"pid 7"}


def test_a_link_shows_the_evidence_that_names_its_line_and_its_call_and_no_other() -> None:
    text = shown(FINDING.chain[3])
    assert "64 pending tasks at rollout.py:118" in text
    assert "update_weights is PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY" in text
    assert "both samples" not in text


def test_a_link_without_a_namesake_is_told_to_have_none() -> None:
    assert "no evidence names this link alone" in shown(FINDING.chain[0])


def test_the_stacks_of_a_link_are_those_through_its_line_else_those_of_its_process() -> None:
    stacks = Stacks("b", tasks=(stack(118, 64, SERVER), stack(7, 1, "driver (pid 4401)")))
    assert "64 × RolloutServer._wait rollout.py:118 › Event.wait locks.py:213" in shown(FINDING.chain[3], stacks)
    assert "rollout.py:7" not in shown(FINDING.chain[3], stacks)
    assert "1 × RolloutServer._wait rollout.py:7" in shown(FINDING.chain[0], stacks)


async def test_n_goes_through_the_links_and_escape_closes_the_evidence() -> None:
    async with opened(examples.hanging()) as session:
        await session.press("2")
        for _ in range(4):
            text = await session.press("n")
        assert "┃ ▸ 64 pending tasks at rollout.py:118" in text
        text = await session.press("N")
        assert "┃" in text and "64 pending tasks at rollout.py:118" not in text.split("evidence ─")[0]
        text = await session.press("escape")
        assert "┃" not in text and "[2 Hang" in text


async def test_a_click_on_a_link_opens_its_evidence_and_another_closes_it() -> None:
    async with opened(examples.hanging(), (120, 40)) as session:
        text = await session.press("2")
        rows = text.splitlines()
        row = next(number for number, content in enumerate(rows) if "asyncio.Event" in content)
        await session.pilot.click("#body", offset=(12, row - 2))
        await session.until_shown("┃ ▸ 64 pending tasks")
        rows = session.text.splitlines()
        row = next(number for number, content in enumerate(rows) if "await on asyncio.Event" in content)
        await session.pilot.click("#body", offset=(12, row - 2))
        await session.until(lambda: "┃" not in session.text)


async def test_where_nothing_hangs_the_key_says_so() -> None:
    async with opened(examples.healthy()) as session:
        await session.press("2")
        assert "no chain of waits" in await session.press("n")
