"""How long `laststep audit` takes over many console logs, and how much memory: growth with the number of runs.

`python -m benchmarks.audit_speed [--runs 100 500 2000] [--megabytes-a-run 0.5]`. The logs are made up in a temporary
folder: the form of the tests' family, with step lines of 60 metrics and an engine's chatter. They were just
written, so that the disk is not what is measured. CPU seconds are those of the process and its workers together; memory
is the highest sum of their resident memory (shared pages counted in each). On a busy machine seconds say little and CPU
seconds more: two idle cores need about half of these.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.audit.family import Run, console

POLL_SECONDS = 0.25
"""A look at all processes costs milliseconds of the cores that are measured."""


def main() -> int:
    """One JSON document on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 500, 2000])
    parser.add_argument("--megabytes-a-run", type=float, default=0.5)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    found = []
    for runs in arguments.runs:
        with tempfile.TemporaryDirectory(prefix="lst-audit") as folder:
            size = write_logs(Path(folder), runs, int(arguments.megabytes_a_run * 1e6))
            measured = [measure(Path(folder)) for _ in range(arguments.repeat)]
            seconds, memory, cpu = min(measured)
            cpu = min(one[2] for one in measured)
            memory = max(one[1] for one in measured)
            found.append(
                {
                    "runs": runs,
                    "megabytes": round(size / 1e6),
                    "seconds": round(seconds, 2),
                    "cpu_seconds": round(cpu, 2),
                    "cpu_seconds_a_gigabyte": round(cpu / (size / 1e9), 2),
                    "resident_megabytes": round(memory / 1e6),
                    "all_seconds": [round(one[0], 2) for one in measured],
                }
            )
    print(json.dumps({"load_average": psutil.getloadavg()[0], "audit": found}, indent=2))
    return 0


def write_logs(folder: Path, runs: int, size: int) -> int:
    """Logs of about `size` bytes each; their bytes together."""
    chatter = _chatter(random.Random(7))
    total = 0
    for number in range(runs):
        lines = console(Run(f"mxfp4_w4a4_e{number}a_speed", seed=number, skips=number % 3 == 0,
                            scores={0: 0.08, 20: 0.61} | ({29: 0.71} if number % 3 else {})))  # fmt: skip
        text = []
        each = max((size - sum(map(len, lines)) - 29 * 2600) // (len(lines) * len(chatter[0])), 0)
        for place, line in enumerate(lines):
            if " step:" in line:
                line += " - " + " - ".join(f"critic/metric_{index}/mean:{index * 0.123456:.6f}" for index in range(60))
            text.append(line)
            start = (place * each) % (len(chatter) - each) if each else 0
            text += chatter[start : start + each]
        content = "\n".join(text) + "\n"
        (folder / f"run_{number}.log").write_text(content)
        total += len(content)
    return total


def _chatter(rng: random.Random) -> list[str]:
    """Lines of an engine that say nothing of a run."""
    return [
        f"(vLLMHttpServer pid={rng.randint(10000, 99999)}) INFO 01-16 11:{rng.randint(10, 59)}:{rng.randint(10, 59)} "
        f"[loggers.py:123] Engine 000: Avg prompt throughput: {rng.randint(100, 999)}.1 tokens/s, Avg generation "
        f"throughput: {rng.randint(1000, 9999)}.5 tokens/s, Running: {rng.randint(10, 99)} reqs, Waiting: 0 reqs, "
        f"GPU KV cache usage: {rng.randint(10, 99)}.1%, Prefix cache hit rate: {rng.randint(10, 99)}.0%"
        for _ in range(4000)
    ]


def measure(folder: Path) -> tuple[float, float, float]:
    """Seconds, highest resident bytes and CPU seconds of one audit of the folder."""
    command = [sys.executable, "-m", "monitor.cli", "audit", str(folder), "--json"]
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = psutil.Popen(command, stdout=out)
        highest, cpu = 0.0, 0.0
        while process.poll() is None:
            try:
                family = [process, *process.children(recursive=True)]
                highest = max(highest, sum(one.memory_info().rss for one in family))
                times = process.cpu_times()
                cpu = max(cpu, sum(sum(one.cpu_times()[:2]) for one in family), times.user + times.children_user)
            except psutil.Error:
                pass
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
        out.seek(0)
        assert json.load(out)["runs"]
    return seconds, highest, cpu


if __name__ == "__main__":
    sys.exit(main())
