"""The GPU child: asks NVML once a line on stdin, answers with one JSON line on stdout, and may be killed at any time.

NVML can hang in the driver, where no deadline reaches it: so it is asked in a process of its own. Run by `gpus.py` as
`python -m monitor.sources.gpu_child`. What one GPU doesn't support is left out and named, never 0; a GPU that is lost
is `lost`, with the reason; a MIG device has an entry of its own in the place of its GPU.

The meaning of NVML's errors: NVML API reference, "Device Enums", `nvmlReturn_t`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

LOST = ("NVML_ERROR_GPU_IS_LOST", "NVML_ERROR_RESET_REQUIRED", "NVML_ERROR_GPU_NOT_FOUND")
"""This GPU answers no more."""
DRIVER_GONE = ("NVML_ERROR_UNINITIALIZED", "NVML_ERROR_DRIVER_NOT_LOADED")
"""No GPU answers any more: the driver was unloaded, or NVML lost it."""


class Lost(Exception):
    """One GPU is lost."""


class DriverGone(Exception):
    """The driver is lost, and all GPUs with it."""


def main() -> int:
    """Answer until stdin ends."""
    nvml, reason = _load()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(_answer(nvml) if nvml is not None else reason) + "\n")
        sys.stdout.flush()
    return 0


def _load() -> tuple[Any, dict[str, str]]:
    """The started NVML, or None and why not: `absent` where there is none, `failed` where there should be one."""
    try:
        import pynvml
    except ImportError:
        return None, {"failed": "the package nvidia-ml-py is not installed here", "cure": "pip install nvidia-ml-py"}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if getattr(error, "value", None) == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            return None, {"absent": "no NVIDIA driver here (libnvidia-ml.so.1 was not found)"}
        return None, {"failed": f"NVML did not start: {error}"}
    return pynvml, {}


def _answer(nvml: Any) -> dict[str, Any]:
    try:
        return {"gpus": [gpu for index in range(nvml.nvmlDeviceGetCount()) for gpu in _read(nvml, index)]}
    except (DriverGone, nvml.NVMLError) as error:
        return {"failed": f"NVML answers no more: {error}"}


def _is(nvml: Any, error: Exception, names: tuple[str, ...]) -> bool:
    value = getattr(error, "value", None)
    return value is not None and value in [getattr(nvml, name, None) for name in names]


class _Questions:
    """Asks about one device, and keeps what it doesn't support as errors. Raises `Lost` and `DriverGone`."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self.errors: list[str] = []

    def ask(self, what: str, question: Callable[[], T]) -> T | None:
        """The answer; None where there is none. An empty `what`: that is no error worth a word."""
        try:
            return question()
        except Exception as error:
            # Beside NVMLError, the binding raises errors of its own where the driver is older than it.
            if _is(self._nvml, error, DRIVER_GONE):
                raise DriverGone(str(error)) from error
            if _is(self._nvml, error, LOST):
                raise Lost(str(error)) from error
            if what:
                self.errors.append(f"{what}: {error}")
            return None


def _read(nvml: Any, index: int) -> list[dict[str, Any]]:
    """A GPU, or its MIG devices where it is divided, or that it is lost."""
    questions = _Questions(nvml)
    gpu: dict[str, Any] = {"index": index, "name": ""}
    try:
        handle = questions.ask("handle", lambda: nvml.nvmlDeviceGetHandleByIndex(index))
        if handle is None:
            return [{**gpu, "errors": questions.errors}]
        migs = _mig_devices(nvml, handle, questions)
        if migs:
            return [_figures(nvml, mig, {"index": index, "mig": number}) for number, mig in migs]
        return [_figures(nvml, handle, gpu)]
    except Lost as error:
        return [{**gpu, "lost": f"NVML says: {error}"}]


def _mig_devices(nvml: Any, handle: Any, questions: _Questions) -> list[tuple[int, Any]]:
    """The MIG devices of a GPU with their numbers; none where MIG is off or not supported."""
    mode = questions.ask("", lambda: nvml.nvmlDeviceGetMigMode(handle))
    if not mode or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return []
    most = questions.ask("MIG devices", lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0
    # Numbers without a device answer "not found": that is most of them.
    found = [(number, questions.ask("", partial(_mig_device, nvml, handle, number))) for number in range(most)]
    return [(number, device) for number, device in found if device is not None]


def _mig_device(nvml: Any, handle: Any, number: int) -> Any:
    try:
        return nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
    except nvml.NVMLError_NotFound:
        return None


def _figures(nvml: Any, handle: Any, gpu: dict[str, Any]) -> dict[str, Any]:
    """What NVML tells of one device. Of a MIG device it tells no utilization, power or temperature: not asked."""
    questions = _Questions(nvml)
    whole = "mig" not in gpu
    name = questions.ask("name", lambda: nvml.nvmlDeviceGetName(handle))
    uuid = questions.ask("", lambda: nvml.nvmlDeviceGetUUID(handle))
    memory = questions.ask("memory", lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    users = questions.ask("processes", lambda: _users(nvml, handle))
    gpu = {
        **gpu,
        "name": _text(name),
        "uuid": _text(uuid),
        "memory_used": int(memory.used) if memory is not None else None,
        "memory_total": int(memory.total) if memory is not None else None,
        "pids": sorted({int(user.pid) for user in users or ()}),
    }
    if whole:
        rates = questions.ask("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        power = questions.ask("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        warmth = questions.ask("temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        gpu["utilization"] = float(rates.gpu) if rates is not None else None
        gpu["power"] = power / 1000.0 if power is not None else None
        gpu["temperature"] = float(warmth) if warmth is not None else None
    return {**gpu, "errors": questions.errors}


def _text(answer: Any) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer or ""


def _users(nvml: Any, handle: Any) -> Any:
    """Processes on a GPU; drivers before 510 know only the second version of the question."""
    try:
        return nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except nvml.NVMLLibraryMismatchError:
        return nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle)


if __name__ == "__main__":
    sys.exit(main())
