"""`laststep doctor`: what can be seen from here, what can't, and what would change that. Changes nothing."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.commands.attaching import add_attach_arguments, add_json_argument, print_json
from monitor.model.errors import ExitCode, LaststepError
from monitor.model.json_form import to_json

if TYPE_CHECKING:
    from monitor.inspection.access import Obstacle, ReaderFacts
    from monitor.inspection.asyncio_reader import TaskReading

MOST_PIDS = 4
"""Named one by one."""
SIGNS = {"ok": "+", "missing": "x", "unknown": "?"}


@dataclass(frozen=True)
class Check:
    """One thing looked at. `state`: `ok`, `missing` or `unknown`."""

    name: str
    state: str
    sentence: str
    cure: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `doctor`."""
    add_attach_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Always exit 0: a missing thing is an answer."""
    checks = [check() for check in checks_for(arguments.ray)]
    if arguments.json:
        print_json({"schema": 1, "checks": to_json(checks)})
    else:
        for check in checks:
            print(f"{SIGNS[check.state]} {check.name}: {check.sentence}")
            if check.cure:
                print(f"    {check.cure}")
    return int(ExitCode.OK)


def checks_for(address: str | None) -> list[Callable[[], Check]]:
    """All checks, each a call of its own that fails alone."""
    return [
        _installation,
        _state,
        _config,
        lambda: _ray(address),
        _py_spy,
        _memory,
        lambda: _tasks(address),
        _gpus,
        _torch,
        _hooks,
    ]


def _installation() -> Check:
    """Whose `monitor`, `quant` and `trainer_hooks` a process started here would import."""
    ours = Path(__file__).resolve().parent.parent.parent
    for name in ("monitor", "quant", "trainer_hooks"):
        local = Path.cwd() / name
        if local.is_dir() and local.resolve().parent != ours:
            cure = "start Ray and the driver from another folder, or rename it"
            return Check(
                "installation", "missing", f"a folder named {name} in {Path.cwd()} would shadow laststep's", cure
            )
    return Check("installation", "ok", f"laststep from {ours}, Python {sys.version.split()[0]}")


def _state() -> Check:
    from monitor.paths import state_directory, state_location

    location = state_location()
    try:
        directory = state_directory()
    except LaststepError as error:
        return Check("state directory", "missing", str(error), error.HELP_TEXT)
    free = shutil.disk_usage(directory).free // 2**20
    return Check("state directory", "ok", location.moved_because or f"{directory}, {free} MB free")


def _config() -> Check:
    from monitor.settings import load, user_config_path

    try:
        load()
    except LaststepError as error:
        return Check("settings", "missing", str(error), error.HELP_TEXT)
    path = user_config_path()
    return Check("settings", "ok", f"from {path}" if path.exists() else "defaults (no file of your own)")


def _ray(address: str | None) -> Check:
    from monitor import settings
    from monitor.watch.attach import attach

    try:
        attached = attach(settings.load(), address, None, None)
    except LaststepError as error:
        return Check("Ray", "missing", str(error), error.HELP_TEXT)
    version = attached.api.version()
    return Check("Ray", "ok", f"{attached.location.name} {attached.place}" + (f", Ray {version}" if version else ""))


def _py_spy() -> Check:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        return Check("threads", "missing", "py-spy is not installed, so threads can't be read", "pip install py-spy")
    return Check("threads", "ok", f"py-spy at {found}")


def _memory() -> Check:
    """Whether processes of one's own uid that are no descendants may be read at all."""
    from monitor.inspection.access import in_general, reader_facts

    reader = reader_facts()
    return memory_check(reader, in_general(reader))


def memory_check(reader: ReaderFacts, found: Sequence[Obstacle]) -> Check:
    """What forbids reading, with its cure, or why it is allowed."""
    name = "process memory"
    if found:
        sentence = "processes of your uid that laststep did not start can't be read: "
        return Check(
            name, "missing", sentence + "; ".join(item.what for item in found), "; ".join(item.cure for item in found)
        )
    scope = "no Yama in this kernel" if reader.yama is None else f"Yama ptrace_scope is {reader.yama}"
    also = ", and CAP_SYS_PTRACE is in force" if reader.may_trace else ""
    return Check(name, "ok", f"processes of uid {reader.uid} can be read: {scope}{also}")


def _tasks(address: str | None) -> Check:
    """Whether asyncio tasks of the run's own processes can be read: tried on each of them."""
    from monitor import settings
    from monitor.inspection.access import obstacles, reader_facts, target_facts
    from monitor.inspection.asyncio_reader import read_tasks
    from monitor.watch.attach import attach

    try:
        processes = attach(settings.load(), address, None, None).location.processes
    except LaststepError:
        return Check("asyncio tasks", "unknown", "no run to try it on")
    readings = {process.pid: read_tasks(process.pid) for process in processes}
    refused = {pid: reading for pid, reading in readings.items() if reading.tasks is None}
    reader = reader_facts()
    found: list[Obstacle] = []
    for pid in refused:
        facts = target_facts(pid)
        found += obstacles(reader, facts) if facts is not None else ()
    return tasks_check(len(readings), refused, found)


def tasks_check(total: int, refused: Mapping[int, TaskReading], found: Sequence[Obstacle]) -> Check:
    """How many of `total` processes were refused, why by the facts of each, and what would change it."""
    from monitor.inspection.access import MEMORY_CURE

    name = "asyncio tasks"
    if not refused:
        return Check(name, "ok", f"read from outside in all {total} processes of the run, without hooks")
    pids = ", ".join(map(str, sorted(refused)[:MOST_PIDS])) + (", …" if len(refused) > MOST_PIDS else "")
    forbidden = sum(reading.not_permitted for reading in refused.values())
    if forbidden or found:
        reasons = Counter(item.what for item in found)
        told = "; ".join(f"{what} ({count})" for what, count in reasons.most_common())
        cure = "; ".join(dict.fromkeys(item.cure for item in found)) or MEMORY_CURE
        told = told or "the kernel refuses, for a reason that /proc does not tell (seccomp, another user namespace)"
        sentence = f"{len(refused)} of {total} processes can't be read (pid {pids}): {told}"
        return Check(name, "missing", sentence, cure)
    because = "; ".join(sorted({reading.unknown for reading in refused.values()})[:3])
    sentence = f"those of {len(refused)} of {total} processes can't be read from outside (pid {pids}): {because}"
    return Check(name, "unknown", sentence, "with the hooks in, their responder tells of them (README, 'With hooks')")


def _gpus() -> Check:
    import time

    from monitor.sources.gpus import GpuReader

    reader = GpuReader()
    try:
        reading = reader.poll(time.time())
        deadline = time.monotonic() + 6.0
        while reading.value is None and reading.unknown is None and time.monotonic() < deadline:
            time.sleep(0.1)
            reading = reader.poll(time.time())
    finally:
        reader.close()
    if reading.value is None:
        unknown = reading.unknown
        return Check(
            "GPUs", "unknown", unknown.because if unknown else "NVML gave no answer", unknown.cure if unknown else ""
        )
    lost = [gpu.unknown for gpu in reading.value if gpu.unknown is not None]
    if lost:
        said = "; ".join(f"{item.what}: {item.because}" for item in lost)
        return Check("GPUs", "unknown", f"{len(lost)} of {len(reading.value)} lost: {said}", lost[0].cure)
    return Check("GPUs", "ok", f"{len(reading.value)} seen")


def _torch() -> Check:
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return Check(
            "reruns", "missing", "torch is not installed, so no rerun and no demo", "pip install 'laststep[quant]'"
        )
    return Check("reruns", "ok", "torch is installed")


def _hooks() -> Check:
    from trainer_hooks import records

    directory = Path(records.hooks_directory())
    count = len(list(directory.glob("*" + records.EVENTS_ENDING))) if directory.is_dir() else 0
    if not count:
        return Check("hooks", "unknown", f"no process has written to {directory} yet", "see README, 'With hooks'")
    return Check("hooks", "ok", f"{count} processes have written to {directory}")
