"""The machine on a small screen: every GPU is counted under its role, and a loop's lag has its unit."""

from __future__ import annotations

from monitor.tui.live import parse
from monitor.tui.screen_data import ScreenData
from tests.tui import examples
from tests.tui.session import opened


def busy() -> ScreenData:
    loops = [{"process": "RolloutServer (pid 4711)", "thread": "t", "lag_seconds": 0.0031, "pending_tasks": 12}]
    document = examples.document(gpus=examples.gpu_readings(8), loops=loops, loops_at=examples.NOW - 3)
    return examples.healthy(live=parse(document))


async def test_eight_gpus_are_all_accounted_for_by_role_at_80x24() -> None:
    async with opened(busy()) as session:
        (rollout,) = [row for row in session.text.splitlines() if row.startswith(" rollout")]
        (trainer,) = [row for row in session.text.splitlines() if row.startswith(" train-worker")]
    assert "4 GPUs" in rollout and "40–61 %" in rollout and "366 GiB/564 GiB" in rollout and "≤ 54 °C" in rollout
    assert "4 GPUs" in trainer and "68–89 %" in trainer


async def test_a_loop_says_its_lag_with_the_unit_and_its_tasks() -> None:
    async with opened(busy(), (120, 40)) as session:
        assert "answers, lag 3 ms" in session.text
        assert "12 tasks wait" in session.text


async def test_the_last_steps_are_drawn_to_scale_with_their_phases_named() -> None:
    async with opened(busy(), (200, 50)) as session:
        rows = [row for row in session.text.splitlines() if "▏gen" in row]
    assert len(rows) == 10
    assert any("▏testing" in row for row in rows)


async def test_requests_of_the_engines_are_shown_where_they_are_read() -> None:
    rows = [{"engine": "127.0.0.1:8000 engine 0", "running": 12, "waiting": 3}]
    document = examples.document(engines={"at": examples.NOW, "value": rows, "unknown": None})
    async with opened(examples.healthy(live=parse(document)), (120, 60)) as session:
        assert "127.0.0.1:8000 engine 0  12 running, 3 waiting" in session.text
    async with opened(examples.healthy(live=parse(examples.document())), (120, 60)) as session:
        assert "waiting" not in session.text
