"""Which GPUs are lost, and since when: what NVML says of each, held against the GPUs that it told of before.

A GPU can be lost in two ways: NVML still counts it and refuses every question, or it counts one fewer and the others
move up. Either way it stays in the reading, unknown since then, under the processes that were last seen on it. A MIG
device that goes away was taken apart by its owner, which isn't a loss. Pure; asking NVML is `gpu_child.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitor.model.json_form import from_json
from monitor.model.reading import Unknown
from monitor.model.run import GpuReading

UNLISTED = "NVML no longer lists it"
CURE = "look at `dmesg` for its Xid lines (79: it fell off the bus); it needs a reset, or the machine a reboot"


class KnownGpus:
    """The GPUs of this machine as they were last told of."""

    def __init__(self) -> None:
        self._known: dict[str, GpuReading] = {}

    def merge(self, told: Sequence[Mapping[str, Any]], now: float) -> tuple[GpuReading, ...]:
        """The child's entries as readings, lost ones in their places. Raises `MalformedRecord`, `TypeError`."""
        here: dict[str, GpuReading] = {}
        for entry in told:
            if "lost" in entry:
                gpu = self._lost(int(entry["index"]), str(entry["lost"]), now)
            else:
                gpu = self._named(from_json(GpuReading, dict(entry)))
            here[_key(gpu)] = gpu
        for key, gpu in self._known.items():
            if key not in here and not _went_otherwise(gpu, here.values()):
                here[key] = _as_lost(gpu, UNLISTED, now)
        self._known = here
        return tuple(sorted(here.values(), key=lambda gpu: (gpu.index, gpu.mig or 0, gpu.unknown is not None)))

    def _named(self, gpu: GpuReading) -> GpuReading:
        """`gpu` under the UUID it had, where this time NVML didn't tell it."""
        before = [known.uuid for known in self._known.values() if (known.index, known.mig) == (gpu.index, gpu.mig)]
        return gpu if gpu.uuid or not before else replace(gpu, uuid=before[0])

    def _lost(self, index: int, because: str, now: float) -> GpuReading:
        """The GPU that NVML counts at `index` and can't reach, as far as it is known."""
        # Where one that is no longer listed had this place before, the one that moved up into it is meant.
        before = sorted(
            (gpu for gpu in self._known.values() if gpu.index == index), key=lambda gpu: gpu.unknown is not None
        )
        whole = next((gpu for gpu in before if gpu.mig is None), None)
        if whole is not None:
            return _as_lost(whole, because, now)
        pids = tuple(sorted({pid for gpu in before for pid in gpu.pids}))
        name = before[0].name.partition(" MIG ")[0] if before else ""
        return _as_lost(GpuReading(index, name, pids=pids), because, now)


def _key(gpu: GpuReading) -> str:
    return gpu.uuid or f"{gpu.index}:{'' if gpu.mig is None else gpu.mig}"


def _went_otherwise(gpu: GpuReading, here: Iterable[GpuReading]) -> bool:
    """Whether `gpu` is missing without a loss: a MIG device, one divided into MIG devices, one without a name."""
    in_its_place = [other for other in here if other.index == gpu.index]
    divided = any(other.mig is not None for other in in_its_place)
    return gpu.mig is not None or divided or (not gpu.uuid and bool(in_its_place))


def _as_lost(gpu: GpuReading, because: str, now: float) -> GpuReading:
    """`gpu` without its figures; the moment of the loss is that of the first reading without it."""
    since = now if gpu.unknown is None else gpu.unknown.since
    lost = Unknown(f"GPU {gpu.index}", since, because, CURE)
    return GpuReading(gpu.index, gpu.name, uuid=gpu.uuid, pids=gpu.pids, unknown=lost)
