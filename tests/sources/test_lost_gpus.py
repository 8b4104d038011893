"""Which GPUs are lost: held against what was told before, where NVML's own answers are ambiguous."""

from __future__ import annotations

from typing import Any

from monitor.model.run import GpuReading
from monitor.sources.lost_gpus import KnownGpus


def _card(index: int, uuid: str = "", **more: Any) -> dict[str, Any]:
    return {"index": index, "name": "Stub", "uuid": uuid, **more}


def _lost(gpus: tuple[GpuReading, ...]) -> list[int]:
    return [gpu.index for gpu in gpus if gpu.unknown is not None]


def test_a_gpu_that_was_lost_before_the_first_reading_is_not_lost_once_it_answers() -> None:
    known = KnownGpus()
    assert _lost(known.merge([{"index": 0, "name": "", "lost": "GPU is lost"}], 1.0)) == [0]
    assert _lost(known.merge([_card(0, "GPU-0")], 2.0)) == []


def test_a_uuid_that_is_not_told_once_is_no_loss() -> None:
    known = KnownGpus()
    known.merge([_card(0, "GPU-0")], 1.0)
    again = known.merge([_card(0)], 2.0)
    assert [(gpu.uuid, gpu.unknown) for gpu in again] == [("GPU-0", None)]


def test_the_loss_of_a_gpu_keeps_the_moment_at_which_it_began() -> None:
    known = KnownGpus()
    known.merge([_card(0, "GPU-0"), _card(1, "GPU-1")], 1.0)
    for now in (2.0, 3.0, 4.0):
        gpus = known.merge([_card(0, "GPU-0")], now)
    assert _lost(gpus) == [1]
    assert gpus[1].unknown is not None and gpus[1].unknown.since == 2.0


def test_a_second_loss_after_the_others_moved_up_is_that_of_the_one_that_moved() -> None:
    known = KnownGpus()
    known.merge([_card(0, "GPU-0"), _card(1, "GPU-1"), _card(2, "GPU-2", pids=[7])], 1.0)
    known.merge([_card(0, "GPU-0"), _card(1, "GPU-2", pids=[7])], 2.0)
    gpus = known.merge([_card(0, "GPU-0"), {"index": 1, "name": "", "lost": "GPU is lost"}], 3.0)
    lost = {gpu.uuid: gpu.unknown.since for gpu in gpus if gpu.unknown is not None}
    assert lost == {"GPU-1": 2.0, "GPU-2": 3.0}


def test_a_gpu_that_may_not_be_asked_is_said_so_and_is_not_lost() -> None:
    """Where a batch system keeps a job to its own GPUs, NVML counts the others and refuses them."""
    gpus = KnownGpus().merge([_card(0, "GPU-0"), _card(1, errors=["handle: Insufficient Permissions"])], 1.0)
    assert _lost(gpus) == []
    assert gpus[1].errors == ("handle: Insufficient Permissions",)
