"""What watching costs the run: step times of the demo with watch and hooks against without, in interleaved pairs.

    python -m benchmarks.watch_cost [--pairs 5] [--steps 12]

Each pair is two runs of the same seed, one after the other, their order alternating; the ratio of their median step
times is taken pair by pair, so that a slow minute of the machine hits both. Also the watch's own CPU time, in percent
of a core over the time it watched. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(watched: bool, steps: int, seed: int) -> tuple[float, float | None]:
    """Median seconds a step, and the watch's CPU in percent of a core (None where unwatched)."""
    folder = Path(tempfile.mkdtemp(prefix="lsb", dir="/tmp"))
    words = ["demo", "--headless", "--json", "--steps", str(steps), "--seed", str(seed), "--out", str(folder / "out")]
    words += [] if watched else ["--no-watch", "--no-hooks"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(folder / "state"),
        "LASTSTEP_DIR": str(folder / "run"),
    }
    try:
        subprocess.run(
            [sys.executable, "-c", "import sys; from monitor.cli import main; sys.exit(main())", *words],
            check=True,
            capture_output=True,
            env=environment,
            timeout=900,
            stdin=subprocess.DEVNULL,
        )
        return step_seconds(folder / "out"), watch_percent(folder) if watched else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def step_seconds(out: Path) -> float:
    """Median of `timing_s/step` in the file logger, the first step (warm-up) and the last (validation) left out."""
    (log,) = (out / "logs").rglob("*.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [line["data"]["timing_s/step"] for line in lines if "timing_s/step" in line["data"]]
    return statistics.median(steps[1:-1])


def watch_percent(folder: Path) -> float | None:
    """CPU seconds of the watch over the seconds it watched, from its last live row."""
    from monitor.ledger.store import Ledger

    with Ledger.open(folder / "state" / "laststep" / "ledger.sqlite", read_only=True) as ledger:
        (row,) = ledger.live_rows()
    watch = row["watch"]
    lived = row["at"] - watch["started_at"]
    return 100.0 * watch["cpu_seconds"] / lived


def main() -> None:
    """The pairs and their bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    ratios, percents = [], []
    for number in range(arguments.pairs):
        order = (True, False) if number % 2 else (False, True)
        results = {watched: run(watched, arguments.steps, number + 1) for watched in order}
        ratios.append(results[True][0] / results[False][0])
        percents.append(results[True][1])
        print(f"pair {number + 1}: ratio {ratios[-1]:.3f}, watch {percents[-1]:.1f} %", file=sys.stderr, flush=True)
    mean = statistics.mean(ratios)
    spread = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
    print(
        json.dumps(
            {
                "pairs": arguments.pairs,
                "steps": arguments.steps,
                "step_time_ratios": ratios,
                "mean_ratio": mean,
                "standard_error": spread,
                "watch_cpu_percent": percents,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
