"""The CPU as a platform of verl (>= 0.9): `VERL_USE_EXTERNAL_MODULES=verl_cpu.platform VERL_PLATFORM=cpu`.

Registers with verl's own platform registry. Besides, torch refuses the backend string that verl makes of the device
`cpu` ("cpu:gloo,cpu:gloo"), so `torch.distributed.init_process_group` gets the one that is meant; and verl imports from
any trl that is installed a class which trl 1.16 has no more, so verl is told that there is none. Not for training in
earnest: memory figures are 0 and nothing is timed on the device.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry
from verl.utils import import_utils

DOUBLED_BACKEND = "cpu:gloo,cpu:gloo"


class _CpuDevice(types.ModuleType):
    """`torch.cpu`, and the names of `torch.cuda` that verl calls on its device module."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)


def _nothing(*_args: Any, **_named: Any) -> None:
    """Stands for calls that have no meaning on a CPU."""


def _no_bytes(*_args: Any, **_named: Any) -> int:
    return 0


def _cpu_device() -> _CpuDevice:
    device = _CpuDevice("verl_cpu.device")
    names: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: "cpu",
        "mem_get_info": lambda *_: (1 << 30, 4 << 30),
        "get_device_name": lambda *_: "cpu",
        "get_rng_state": lambda *_: torch.get_rng_state(),
        "set_rng_state": lambda state, *_: torch.set_rng_state(state),
    }
    silent = ("empty_cache", "synchronize", "set_device", "reset_peak_memory_stats", "ipc_collect")
    names.update(dict.fromkeys((*silent, "manual_seed", "manual_seed_all"), _nothing))
    sizes = ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved")
    names.update(dict.fromkeys(sizes, _no_bytes))
    for name, value in names.items():
        setattr(device, name, value)
    return device


_DEVICE = _cpu_device()


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):
    """What verl asks of a platform, answered for a CPU."""

    device_name = "cpu"
    vendor_name = "cpu"

    @property
    def device_module(self) -> types.ModuleType:
        return _DEVICE

    def is_available(self) -> bool:
        return True

    def current_device(self) -> str:
        return "cpu"

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        """There is one."""

    def synchronize(self, device_index: int | None = None) -> None:
        """Nothing runs apart."""

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        """There is no allocator to set."""

    def empty_cache(self) -> None:
        """There is no cache."""

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return (None, None)

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "VERL_CPU_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        """No profiler."""

    def profiler_stop(self) -> None:
        """No profiler."""

    def ray_resource_name(self) -> str:
        """A logical resource of Ray: its head is started with one "GPU"."""
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        """False: verl then sends weights through shared memory."""
        return False

    def cudart(self) -> None:
        return None


def _one_backend_a_device() -> None:
    """Let torch see "cpu:gloo" where verl says it twice. Asking twice changes nothing."""
    original = torch.distributed.init_process_group
    if getattr(original, "one_backend_a_device", False):
        return

    def init_process_group(backend: str | None = None, *args: Any, **named: Any) -> Any:
        return original("cpu:gloo" if backend == DOUBLED_BACKEND else backend, *args, **named)

    init_process_group.one_backend_a_device = True  # type: ignore[attr-defined]
    torch.distributed.init_process_group = init_process_group


def _no_trl() -> None:
    """GRPO needs nothing of trl; verl would import its value head, which is gone."""
    import_utils.is_trl_available = lambda: False


_one_backend_a_device()
_no_trl()
