"""What reading a process does to it: system calls by strace, kill -9 of the reader in mid-snapshot, cost of many.

    python -m benchmarks.reader_harm [--kills 200] [--processes 64] [--seconds 1800]

`ptrace`: calls that a whole reading makes (tasks by memory, threads by py-spy), counted by tracing the tool and all
that it starts; needs strace. `kills`: the reader is killed at random moments; the target must never be stopped, traced
or held up, and nothing that the reader started may outlive it. `many`: the asyncio tasks of many processes, and a whole
snapshot of them (states, sockets, threads by py-spy, tasks), Ray's records left out. CPU times are this process's and
its children's (py-spy). Prints JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOAD = Path(__file__).with_name("reader_load.py")
READ = (
    "import sys; from monitor.inspection.asyncio_reader import read_tasks\n"
    "from monitor.inspection.threads import read_threads\n"
    "print('reading', flush=True)\n"
    "while True:\n"
    "    for pid in map(int, sys.argv[2:]):\n"
    "        tasks, threads = read_tasks(pid), read_threads(pid)\n"
    "        assert tasks.tasks and threads.threads, (tasks.unknown, threads.unknown)\n"
    "    if sys.argv[1] == 'once': break\n"
)
MARK = "LASTSTEP_READER_HARM"


@contextlib.contextmanager
def _target(tasks: int = 50, rate: float = 500.0) -> Any:
    words = [sys.executable, str(LOAD), str(tasks), str(rate), "3600"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
    finally:
        child.kill()
        child.communicate()


def ptrace_calls() -> dict[str, Any]:
    """ptrace, signals and memory calls of one whole reading, children included."""
    strace = shutil.which("strace")
    if strace is None:
        return {"skipped": "strace is not installed"}
    with _target() as pid, tempfile.NamedTemporaryFile() as log:
        calls = "trace=ptrace,process_vm_readv,process_vm_writev,kill,tgkill,tkill"
        words = [strace, "-f", "-qq", "-e", calls, "-o", log.name, sys.executable, "-c", READ, "once", str(pid)]
        subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=300)
        text = Path(log.name).read_text()
    counted = {
        name: len(re.findall(rf"\b{name}\(", text)) for name in ("ptrace", "process_vm_readv", "process_vm_writev")
    }
    signals = [int(found) for found in re.findall(r"\b(?:t?g?kill|kill)\((-?\d+)", text)]
    return {**counted, "signals_to_the_target": sum(abs(number) == pid for number in signals)}


def kill_one(pid: int, chance: random.Random) -> None:
    """A reader from its first line on: it has to learn the layout too."""
    words = [sys.executable, "-c", READ, "always", str(pid)]
    reader = subprocess.Popen(words, cwd=ROOT, env={**os.environ, MARK: "1"}, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    reader.stdout.readline()
    time.sleep(chance.uniform(0.0, 0.6))
    reader.send_signal(signal.SIGKILL)
    reader.communicate()


def kill_one_forked(pid: int, chance: random.Random) -> None:
    """A reader that has its layouts, forked from this process: many kills in little time, all in mid-reading."""
    from monitor.inspection.asyncio_reader import read_tasks
    from monitor.inspection.threads import read_threads

    if read_tasks(pid).tasks is None:
        raise RuntimeError("the target can't be read")
    child = os.fork()
    if child == 0:
        os.environ[MARK] = "1"
        while True:
            read_tasks(pid)
            read_threads(pid)
    time.sleep(chance.uniform(0.0, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def kills(count: int, seconds: float, *, forked: bool = False) -> dict[str, int]:
    """kill -9 of a reader that reads all the time, at random moments, at most for `seconds`."""
    ends = time.monotonic() + seconds
    found = {"kills": 0, "stopped": 0, "traced": 0, "leftovers": 0, "target_died": 0}
    chance = random.Random(1)
    with _target() as pid:
        while found["kills"] < count and time.monotonic() < ends:
            found["kills"] += 1
            kill_one_forked(pid, chance) if forked else kill_one(pid, chance)
            status = Path(f"/proc/{pid}/status").read_text()
            found["stopped"] += bool(re.search(r"^State:\s+[Tt]", status, re.M))
            found["traced"] += not re.search(r"^TracerPid:\s+0$", status, re.M)
            found["target_died"] += bool(re.search(r"^State:\s+[ZX]", status, re.M))
        time.sleep(25.0)
        found["leftovers"] = len(_marked())
    return found


def _marked() -> list[int]:
    """Processes that a killed reader left behind: its probe, its py-spy."""
    left = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                if b"layout_probe" in command or MARK.encode() in (folder / "environ").read_bytes():
                    left.append(int(folder.name))
    return left


def many(processes: int) -> dict[str, Any]:
    """Wall and CPU time to read many processes with ten tasks each: their tasks alone, and a whole snapshot."""
    from monitor.diagnose.capture import READERS, capture
    from monitor.inspection.asyncio_reader import read_tasks
    from monitor.model.run import RunConfig
    from monitor.model.snapshot import RunPosition
    from monitor.sources.hooked_run import NO_RAY, NoRayApi
    from monitor.sources.run_locator import RunLocation
    from monitor.sources.run_processes import RunProcess
    from monitor.sources.trainer_profile import load_profile

    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(_target(10, 10.0)) for _ in range(processes)]
        time.sleep(2.0)
        listed = tuple(RunProcess(pid, "rollout", f"load (pid {pid})") for pid in pids)
        location = RunLocation("many", "", None, 0.0, None, load_profile("verl"), RunConfig(), listed)

        def tasks() -> None:
            with ThreadPoolExecutor(READERS) as pool:
                assert all(reading.tasks for reading in pool.map(read_tasks, pids))

        def snapshot() -> None:
            taken = capture(NO_RAY, NoRayApi(), location, RunPosition("many"))
            assert all(process.tasks and process.threads for process in taken.processes)

        measured = {"tasks": _timed(tasks, processes), "snapshot": _timed(snapshot, processes)}
    return {"processes": processes, **measured, "load_average": round(os.getloadavg()[0], 1)}


def _timed(read: Callable[[], None], processes: int) -> dict[str, float]:
    """The first of five readings, which may have to learn a layout, and the quickest."""
    results = []
    for _ in range(5):
        began, cpu = time.perf_counter(), sum(os.times()[:4])
        read()
        results.append((time.perf_counter() - began, sum(os.times()[:4]) - cpu))
    wall, cpu_seconds = min(results)
    return {
        "first_wall_s": round(results[0][0], 3),
        "wall_s": round(wall, 3),
        "median_wall_s": round(sorted(results)[2][0], 3),
        "cpu_ms_per_process": round(1000 * cpu_seconds / processes, 2),
    }


def main() -> int:
    """Exit 0 with the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--processes", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1800.0, help="the kills end after this, however many they are")
    parser.add_argument("--forked", action="store_true", help="kill forked readers that know the layout already")
    words = parser.parse_args()
    document = {"ptrace": ptrace_calls()}
    if words.processes:
        document["many"] = many(words.processes)
    if words.kills:
        document["kills"] = kills(words.kills, words.seconds, forked=words.forked)
    print(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
