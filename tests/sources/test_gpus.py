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

LIBRARY = (Path(__file__).parent / "nvml_stub.c").read_text()

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="builds a stub of NVIDIA's library with gcc")


def _library(folder: Path, init: str = "return 0;", count: str = "", cards: int = 2) -> dict[str, str]:
    """A libnvidia-ml.so.1 of our own, and the environment in which it is found and finds its orders."""
    source = folder / "nvml.c"
    source.write_text(LIBRARY.replace("/*INIT*/", init).replace("/*COUNT*/", count))
    target = folder / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", f"-DCARDS={cards}", "-o", str(target), str(source)], check=True)
    return {**os.environ, "LD_LIBRARY_PATH": str(folder), "NVML_STUB_ORDERS": str(folder)}


def _order(environ: dict[str, str], name: str, *, holds: bool = True) -> None:
    """From now on the library finds, or no longer finds, a file of this name among its orders."""
    path = Path(environ["NVML_STUB_ORDERS"]) / name
    if holds:
        path.touch()
    else:
        path.unlink()


def _whole(reading: Answered, count: int) -> bool:
    return (
        reading.value is not None and len(reading.value) == count and all(gpu.unknown is None for gpu in reading.value)
    )


def _lost(reading: Answered) -> list[int]:
    return [gpu.index for gpu in reading.value or () if gpu.unknown is not None]


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


@needs_compiler
def test_eight_gpus_are_all_there_each_with_its_own_name_figures_and_processes(
    tmp_path: Path, reader: Callable[..., GpuReader]
) -> None:
    gpus = _poll_until(reader(environ=_library(tmp_path, cards=8)), lambda r: r.value is not None).value or ()
    assert [gpu.index for gpu in gpus] == list(range(8))
    assert len({gpu.uuid for gpu in gpus}) == 8
    assert [gpu.pids for gpu in gpus] == [(4711 + index,) if index != 1 else () for index in range(8)]


@needs_compiler
@pytest.mark.parametrize("order", ["handle-lost-3", "figures-lost-3"])
def test_a_gpu_that_is_lost_in_mid_run_is_unknown_since_then_and_the_other_seven_are_read_on(
    tmp_path: Path, reader: Callable[..., GpuReader], order: str
) -> None:
    environ = _library(tmp_path, cards=8)
    gpus = reader(environ=environ)
    before = _poll_until(gpus, lambda r: _whole(r, 8))
    _order(environ, order)
    first = _poll_until(gpus, lambda r: _lost(r) == [3])
    again = _poll_until(gpus, lambda r: r.at > first.at)
    assert first.value is not None and again.value is not None and len(again.value) == 8
    lost = again.value[3]
    assert lost.unknown is not None and "GPU is lost" in lost.unknown.because and "dmesg" in lost.unknown.cure
    assert before.at < lost.unknown.since == first.at < again.at
    assert (lost.pids, lost.name) == ((4714,), "Stub 4000"), "still under the process that it is lost to"
    assert (lost.utilization, lost.memory_used, lost.power, lost.temperature) == (None, None, None, None)
    assert all(gpu.utilization == 87.0 for gpu in again.value if gpu.index != 3)
    _order(environ, order, holds=False)
    assert _poll_until(gpus, lambda r: _whole(r, 8)).value == before.value, "reset, it is as it was"


@needs_compiler
def test_a_gpu_that_nvml_no_longer_counts_is_lost_though_the_others_move_up(
    tmp_path: Path, reader: Callable[..., GpuReader]
) -> None:
    environ = _library(tmp_path, cards=8)
    gpus = reader(environ=environ)
    _poll_until(gpus, lambda r: _whole(r, 8))
    _order(environ, "uncounted-3")
    after = _poll_until(gpus, lambda r: bool(_lost(r))).value or ()
    (lost,) = [gpu for gpu in after if gpu.unknown is not None]
    assert (len(after), lost.index, lost.pids) == (8, 3, (4714,))
    assert lost.unknown is not None and "no longer lists it" in lost.unknown.because
    assert [gpu.pids for gpu in after if gpu.unknown is None][-1] == (4718,)


@needs_compiler
@pytest.mark.parametrize("order", ["count-uninitialized", "figures-uninitialized"])
def test_a_driver_that_goes_away_in_mid_run_makes_all_gpus_unknown_with_its_own_words(
    tmp_path: Path, reader: Callable[..., GpuReader], order: str
) -> None:
    environ = _library(tmp_path, cards=8)
    gpus = reader(environ=environ)
    _poll_until(gpus, lambda r: _whole(r, 8))
    _order(environ, order)
    gone = _poll_until(gpus, lambda r: r.unknown is not None)
    assert gone.unknown is not None and gone.unknown.because == "NVML answers no more: Uninitialized"
    assert "nvidia-smi" in gone.unknown.cure
    assert gpus.poll(time.time()) == gone, "asked again once a minute only"


@needs_compiler
def test_a_gpu_divided_by_mig_is_read_by_its_devices(tmp_path: Path, reader: Callable[..., GpuReader]) -> None:
    environ = _library(tmp_path)
    _order(environ, "mig-1")
    gpus = _poll_until(reader(environ=environ), lambda r: r.value is not None).value or ()
    assert [(gpu.index, gpu.mig) for gpu in gpus] == [(0, None), (1, 0), (1, 2)]
    assert [gpu.name for gpu in gpus[1:]] == ["Stub 4000 MIG 1g.5gb"] * 2
    assert [gpu.pids for gpu in gpus[1:]] == [(9000,), (9002,)]
    for mig in gpus[1:]:
        assert (mig.memory_used, mig.memory_total, mig.utilization, mig.errors) == (5, 10, None, ())


@needs_compiler
def test_a_mig_device_taken_apart_is_no_loss_but_its_gpu_can_be_lost(
    tmp_path: Path, reader: Callable[..., GpuReader]
) -> None:
    environ = _library(tmp_path)
    gpus = reader(environ=environ)
    _poll_until(gpus, lambda r: _whole(r, 2))
    _order(environ, "mig-1")
    _poll_until(gpus, lambda r: _whole(r, 3))
    _order(environ, "handle-lost-1")
    lost = (_poll_until(gpus, lambda r: bool(_lost(r))).value or ())[-1]
    assert (lost.index, lost.mig, lost.name, lost.pids) == (1, None, "Stub 4000", (9000, 9002))
    _order(environ, "handle-lost-1", holds=False)
    _order(environ, "mig-1", holds=False)
    _poll_until(gpus, lambda r: _whole(r, 2))


def test_a_machine_without_gpus_says_so_and_nothing_is_to_be_done(
    reader: Callable[..., GpuReader],
) -> None:
    if any(Path(place).exists() for place in ("/dev/nvidiactl", "/dev/dxg")):
        pytest.skip("this machine has GPUs")
    unknown = _poll_until(
        reader(), lambda r: r.unknown is not None and "not answered yet" not in r.unknown.because
    ).unknown
    assert unknown is not None and unknown.because == "no NVIDIA driver here (libnvidia-ml.so.1 was not found)"
    assert unknown.cure == "nothing to do on a machine without NVIDIA GPUs"


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
