"""The GPU child: asks NVML once a line on stdin, answers with one JSON line on stdout, and may be killed at any time.

NVML can hang in the driver, where no deadline reaches it: so it is asked in a process of its own. Run by `gpus.py` as
`python -m monitor.sources.gpu_child`. What one GPU doesn't support is left out and named, never 0.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def main() -> int:
    """Answer until stdin ends."""
    nvml, reason = _load()
    for _ in sys.stdin:
        answer = {"gpus": _read_all(nvml)} if nvml is not None else {"absent": reason}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


def _load() -> tuple[Any, str]:
    """The started NVML, or None and why not."""
    try:
        import pynvml
    except ImportError:
        return None, "the package nvidia-ml-py is not installed"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if getattr(error, "value", None) == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            return None, "no NVIDIA driver here (libnvidia-ml.so.1 was not found)"
        return None, f"NVML did not start: {error}"
    return pynvml, ""


def _read_all(nvml: Any) -> list[dict[str, Any]]:
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        return [{"index": -1, "name": "", "errors": [f"count: {error}"]}]
    return [_read(nvml, index) for index in range(count)]


def _read(nvml: Any, index: int) -> dict[str, Any]:
    errors: list[str] = []

    def ask(what: str, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except Exception as error:
            # Beside NVMLError, the binding raises errors of its own where the driver is older than it.
            errors.append(f"{what}: {error}")
            return None

    gpu: dict[str, Any] = {"index": index, "name": ""}
    handle = ask("handle", lambda: nvml.nvmlDeviceGetHandleByIndex(index))
    if handle is not None:
        name = ask("name", lambda: nvml.nvmlDeviceGetName(handle))
        rates = ask("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        memory = ask("memory", lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        power = ask("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        warmth = ask("temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        users = ask("processes", lambda: _users(nvml, handle))
        gpu["name"] = name.decode("utf-8", "replace") if isinstance(name, bytes) else name or ""
        gpu["utilization"] = float(rates.gpu) if rates is not None else None
        gpu["memory_used"] = int(memory.used) if memory is not None else None
        gpu["memory_total"] = int(memory.total) if memory is not None else None
        gpu["power"] = power / 1000.0 if power is not None else None
        gpu["temperature"] = float(warmth) if warmth is not None else None
        gpu["pids"] = sorted({int(user.pid) for user in users or ()})
    gpu["errors"] = errors
    return gpu


def _users(nvml: Any, handle: Any) -> Any:
    """Processes on a GPU; drivers before 510 know only the second version of the question."""
    try:
        return nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except nvml.NVMLLibraryMismatchError:
        return nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle)


if __name__ == "__main__":
    sys.exit(main())
