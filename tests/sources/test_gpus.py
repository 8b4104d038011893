"""GPUs through NVML in a child: read, absent, failing, ended and hanging drivers, with a real stub library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.model.reading import Reading
from monitor.model.run import GpuReading
from monitor.sources.gpus import GpuReader

Answered = Reading[tuple[GpuReading, ...]]

LIBRARY = r"""
#include <string.h>
#include <unistd.h>
typedef void *handle;
struct rates { unsigned gpu, memory; };
struct memory { unsigned long long total, free, used; };
static int cards[2];
int nvmlInit_v2(void) { %(init)s }
int nvmlInitWithFlags(unsigned flags) { %(init)s }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 3 ? "Not Supported" : "Unknown Error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { %(count)s *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, handle *device) { *device = &cards[index]; return 0; }
int nvmlDeviceGetName(handle device, char *name, unsigned length) { strcpy(name, "Stub 4000"); return 0; }
int nvmlDeviceGetUtilizationRates(handle device, struct rates *r) { r->gpu = 87; r->memory = 1; return 0; }
int nvmlDeviceGetMemoryInfo(handle device, struct memory *m) { m->total = 100; m->used = 40; m->free = 60; return 0; }
int nvmlDeviceGetPowerUsage(handle device, unsigned *milliwatts) { *milliwatts = 350500; return 0; }
struct user { unsigned pid; unsigned long long memory; unsigned instance, compute; };
int nvmlDeviceGetComputeRunningProcesses_v2(handle device, unsigned *count, struct user *users) {
  if (device == &cards[1]) { *count = 0; return 0; }
  if (*count == 0) { *count = 1; return 7; }
  *count = 1;
  users[0].pid = 4711;
  return 0;
}
int nvmlDeviceGetTemperature(handle device, unsigned sensor, unsigned *celsius) {
  if (device == &cards[1]) return 3;
  *celsius = 61;
  return 0;
}
"""

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="builds a stub of NVIDIA's library with gcc")


def _library(folder: Path, init: str = "return 0;", count: str = "") -> dict[str, str]:
    """A libnvidia-ml.so.1 of our own, and the environment in which it is found."""
    source = folder / "nvml.c"
    source.write_text(LIBRARY % {"init": init, "count": count})
    target = folder / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    return {**os.environ, "LD_LIBRARY_PATH": str(folder)}


@pytest.fixture
def reader() -> Iterator[Callable[..., GpuReader]]:
    made: list[GpuReader] = []

    def make(**arguments: object) -> GpuReader:
        made.append(GpuReader(**arguments))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


def _poll_until(reader: GpuReader, holds: Callable[[Answered], bool]) -> Answered:
    deadline = time.monotonic() + 60
    while not holds(reading := reader.poll(time.time())):
        assert time.monotonic() < deadline, reading
        time.sleep(0.02)
    return reading


@needs_compiler
def test_gpus_are_read_and_what_one_does_not_support_is_left_out_and_named(
    tmp_path: Path, reader: Callable[..., GpuReader]
) -> None:
    gpus = _poll_until(reader(environ=_library(tmp_path)), lambda reading: reading.value is not None).value
    assert gpus is not None and [gpu.index for gpu in gpus] == [0, 1]
    first, second = gpus
    assert (first.name, first.utilization, first.memory_used, first.memory_total) == ("Stub 4000", 87.0, 40, 100)
    assert (first.power, first.temperature) == (350.5, 61.0)
    assert second.temperature is None
    assert any(error.startswith("temperature:") for error in second.errors)
    assert first.pids == (4711,), "by the question that an older driver knows"


@needs_compiler
def test_each_poll_is_a_reading_of_its_own(tmp_path: Path, reader: Callable[..., GpuReader]) -> None:
    gpus = reader(environ=_library(tmp_path))
    first = _poll_until(gpus, lambda reading: reading.value is not None)
    again = _poll_until(gpus, lambda reading: reading.at > first.at)
    assert again.value == first.value


@needs_compiler
@pytest.mark.parametrize("where", ["init", "count"])
def test_a_driver_that_hangs_costs_a_child_and_is_said(
    tmp_path: Path, reader: Callable[..., GpuReader], where: str
) -> None:
    hang = "for (;;) pause();"
    environ = _library(tmp_path, **{where: hang})
    unknown = _poll_until(
        reader(environ=environ, deadline=0.5), lambda r: r.unknown is not None and "0.5 s" in r.unknown.because
    ).unknown
    assert unknown is not None and unknown.what == "gpus"
    assert "nvidia-smi" in unknown.cure


@needs_compiler
def test_a_library_that_refuses_to_start_is_quoted(tmp_path: Path, reader: Callable[..., GpuReader]) -> None:
    reading = _poll_until(
        reader(environ=_library(tmp_path, init="return 999;")),
        lambda r: r.unknown is not None and "did not start" in r.unknown.because,
    )
    assert reading.value is None


def test_without_a_driver_the_reason_is_given_once_and_since_when(reader: Callable[..., GpuReader]) -> None:
    code = 'import sys\nfor _ in sys.stdin:\n    print(\'{"absent": "no driver"}\', flush=True)'
    gpus = reader(command=[sys.executable, "-c", code])
    first = _poll_until(gpus, lambda r: r.unknown is not None and r.unknown.because == "no driver")
    assert gpus.poll(time.time()) == first


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "input(); print('no json', flush=True); input()"])
def test_a_child_that_ends_or_talks_nonsense_is_an_unknown(code: str, reader: Callable[..., GpuReader]) -> None:
    reading = _poll_until(
        reader(command=[sys.executable, "-c", code]),
        lambda r: r.unknown is not None and "not answered yet" not in r.unknown.because,
    )
    assert "GPU child" in (reading.unknown.because if reading.unknown else "")


def test_a_child_that_cannot_be_started_is_an_unknown(reader: Callable[..., GpuReader]) -> None:
    reading = reader(command=["/nowhere/python"]).poll(time.time())
    assert reading.unknown is not None and "can't be started" in reading.unknown.because
