"""The machine on a small screen: every GPU is counted under its role, and a loop's lag has its unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model.json_form import to_json
from monitor.model.reading import Unknown
from monitor.model.run import GpuReading
from monitor.tui.cells import cell_len, plain
from monitor.tui.live import parse
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens.machine_sections import gpus, loops, name_in
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


def machine(*gpus: GpuReading) -> ScreenData:
    reading = {"at": examples.NOW - 1, "value": to_json(list(gpus)), "unknown": None}
    return examples.healthy(live=parse(examples.document(gpus=reading)))


def eight(**lost: str) -> list[GpuReading]:
    """Eight GPUs, four a role; `gpu_N=because` is lost since 14 s."""
    cards = [
        GpuReading(index, "NVIDIA H200", 90.0, 90 << 30, 141 << 30, 402.0, 51.0, (4711 if index < 4 else 4690,))
        for index in range(8)
    ]
    for name, because in lost.items():
        index = int(name.removeprefix("gpu_"))
        unknown = Unknown(f"GPU {index}", examples.NOW - 14, because, "look at `dmesg`")
        cards[index] = GpuReading(index, "NVIDIA H200", pids=cards[index].pids, unknown=unknown)
    return cards


def shown(data: ScreenData, width: int, *, summed: bool = False) -> str:
    """The section's text, its wrapped lines joined; no row is wider than its room."""
    rows = [plain(row) for row in gpus(data, width, 0, summed=summed).lines]
    assert all(cell_len(row) <= width for row in rows if "GiB" not in row)
    return " ".join(" ".join(rows).split())


@pytest.mark.parametrize("width", [57, 64, 80])
@pytest.mark.parametrize("summed", [True, False])
def test_a_lost_gpu_is_unknown_since_and_because_and_leaves_its_role_s_sums(width: int, summed: bool) -> None:
    text = shown(machine(*eight(gpu_3="NVML says: GPU is lost")), width, summed=summed)
    assert text.startswith("? GPU 3 (rollout) unknown, since 14 s, because NVML says: GPU is lost — look at `dmesg`")
    assert "rollout 3 of 4 GPUs" in text and "train-worker 4 GPUs" in text
    assert not summed or ("270 GiB/423 GiB" in text and "360 GiB/564 GiB" in text)


async def test_a_lost_gpu_is_on_the_smallest_screen() -> None:
    async with opened(machine(*eight(gpu_3="NVML says: GPU is lost"))) as session:
        assert "? GPU 3 (rollout)  unknown, since 14 s, because NVML says: GPU is lost" in session.text


def test_a_role_all_of_whose_gpus_are_lost_has_no_figures_and_the_cure_is_said_once() -> None:
    lost = {f"gpu_{index}": "NVML says: GPU is lost" for index in range(4)}
    text = shown(machine(*eight(**lost)), 80, summed=True)
    assert "rollout 0 of 4 GPUs train-worker" in text
    assert text.count("because NVML says: GPU is lost") == 4
    assert text.count("look at `dmesg`") == 1


async def test_mig_devices_have_their_number_their_profile_and_no_invented_load() -> None:
    migs = [
        GpuReading(0, "NVIDIA A100-SXM4-40GB MIG 1g.5gb", None, 3 << 30, 5 << 30, mig=number, pids=(4711,))
        for number in (0, 2)
    ]
    rows = [plain(row) for row in gpus(machine(*migs), 80, 0).lines]
    (first,) = [row for row in rows if "0:0" in row]
    assert "MIG 1g.5gb" in first and "? %" in first and "3.0 GiB/5.0 GiB" in first and "W" not in first
    assert rows[0].endswith("rollout  2 MIG devices") and "0:2" in rows[2]
    many = [replace(migs[0], mig=number) for number in range(4)]
    async with opened(machine(*many)) as session:
        (row,) = [row for row in session.text.splitlines() if row.startswith(" rollout")]
    assert "4 MIG devices ? %" in row and "12.0 GiB/20.0 GiB" in row


async def test_a_loop_says_its_lag_with_the_unit_and_its_tasks() -> None:
    async with opened(busy(), (120, 40)) as session:
        assert "answers, lag 3 ms" in session.text
        assert "12 tasks" in session.text


async def test_the_last_steps_are_drawn_to_scale_with_their_phases_named() -> None:
    async with opened(busy(), (200, 50)) as session:
        rows = [row for row in session.text.splitlines() if "▏gen" in row]
    assert len(rows) == 20
    assert any("▏testing" in row for row in rows)


async def test_requests_of_the_engines_are_shown_where_they_are_read() -> None:
    rows = [{"engine": "127.0.0.1:8000 engine 0", "running": 12, "waiting": 3}]
    document = examples.document(engines={"at": examples.NOW, "value": rows, "unknown": None})
    async with opened(examples.healthy(live=parse(document)), (120, 60)) as session:
        assert "127.0.0.1:8000 engine 0  12 running, 3 waiting" in session.text
    async with opened(examples.healthy(live=parse(examples.document())), (120, 60)) as session:
        assert "waiting" not in session.text


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (41, "RolloutServer rollout_server_0 (pid 4711)"),
        (30, "rollout_server_0 (pid 4711)"),
        (24, "rollout_server_0 4711"),
        (14, "…server_0 4711"),
    ],
)
def test_what_is_cut_of_a_process_is_never_its_pid(width: int, shown: str) -> None:
    name = name_in("RolloutServer rollout_server_0 (pid 4711)", width)
    assert "4711" in name and cell_len(name) <= width
    assert name == shown


def test_while_all_moves_it_is_said_why_no_loop_is_shown() -> None:
    (row,) = loops(examples.healthy(), 80, 0).lines
    assert "not looked at while all moves" in plain(row)


def test_loads_that_are_the_same_are_one_number() -> None:
    same = [replace(gpu, utilization=40.0) for gpu in eight()]
    assert " 40 % " in shown(machine(*same), 80, summed=True)
