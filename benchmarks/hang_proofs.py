"""Every hang of the demo, many times: proved with the right class, wrong, or missed, and how long after the injection.

    python -m benchmarks.hang_proofs [--runs 10] [--steps 3] [--no-hooks] [--classes a,b]

Counts from the moment the fault was in place (`injected.json`, which the monitor never reads) to the moment the finding
stood in the ledger. Prints one JSON document. Not covered: faults outside the demo (see benchmarks of the diagnosis).
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
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HANGS = ("control-queue", "self-get", "loop-blocked", "lost-wakeup", "engine-stopped")
HEALTHY = ("slow", "none")


@dataclass(frozen=True)
class Outcome:
    """One run of the demo."""

    ordered: str
    exit_code: int
    verdict: str
    found: tuple[str, ...]
    seconds_from_injection: float | None
    right: bool
    confidently_wrong: bool
    """A proved finding of another class than the one ordered, or any at all where none was."""


def run_once(hang: str, steps: int, hooks: bool, seed: int) -> Outcome:
    """One demo in folders of its own, to its verdict."""
    folder = Path(tempfile.mkdtemp(prefix="lsb", dir="/tmp"))
    words = ["demo", "--headless", "--json", "--steps", str(steps), "--seed", str(seed), "--out", str(folder / "out")]
    words += [] if hang == "none" else ["--hang", hang]
    words += [] if hooks else ["--no-hooks"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(folder / "state"),
        "LASTSTEP_DIR": str(folder / "run"),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from monitor.cli import main; sys.exit(main())", *words],
            capture_output=True,
            text=True,
            env=environment,
            timeout=600,
            stdin=subprocess.DEVNULL,
        )
        return judge(hang, hooks, done, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judge(hang: str, hooks: bool, done: subprocess.CompletedProcess[str], folder: Path) -> Outcome:
    """What came out, against what was ordered."""
    try:
        document = json.loads(done.stdout)
    except ValueError:
        print(done.stderr[-2000:], file=sys.stderr)
        return Outcome(hang, done.returncode, "no document", (), None, right=False, confidently_wrong=False)
    proved = tuple(finding["class"] for finding in document["findings"] if finding["proved"])
    unknown_is_right = hang == "lost-wakeup" and not hooks
    expected = () if hang in HEALTHY or unknown_is_right else (hang,)
    right = proved == expected and (not unknown_is_right or document["verdict"] == "unknown")
    seconds = None
    injected = folder / "out" / "injected.json"
    if proved and injected.exists():
        seconds = round(proof_time(folder, document["run"]["name"]) - json.loads(injected.read_text())["at"], 2)
    wrong = any(name not in expected for name in proved)
    return Outcome(hang, done.returncode, document["verdict"], proved, seconds, right, wrong)


def proof_time(folder: Path, run: str) -> float:
    """When the first finding entered the ledger."""
    from monitor.ledger.store import Ledger

    with Ledger.open(folder / "state" / "laststep" / "ledger.sqlite", read_only=True) as ledger:
        return min(row.found_at for row in ledger.findings(run))


def main() -> None:
    """All classes, all runs; a row a class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--no-hooks", action="store_true")
    parser.add_argument("--classes", default=",".join((*HANGS, *HEALTHY)))
    arguments = parser.parse_args()
    rows = []
    for hang in arguments.classes.split(","):
        outcomes = []
        for number in range(arguments.runs):
            outcome = run_once(hang, arguments.steps, not arguments.no_hooks, number + 1)
            outcomes.append(outcome)
            print(f"{hang} {number + 1}/{arguments.runs}: {outcome}", file=sys.stderr, flush=True)
        seconds = [item.seconds_from_injection for item in outcomes if item.seconds_from_injection is not None]
        rows.append(
            {
                "class": hang,
                "runs": len(outcomes),
                "right": sum(item.right for item in outcomes),
                "confidently_wrong": sum(item.confidently_wrong for item in outcomes),
                "missed": sum(not item.right and not item.confidently_wrong for item in outcomes),
                "seconds_median": statistics.median(seconds) if seconds else None,
                "seconds_max": max(seconds, default=None),
                "outcomes": [asdict(item) for item in outcomes],
            }
        )
    print(json.dumps({"hooks": not arguments.no_hooks, "steps": arguments.steps, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
