"""Every fault of tests/faults with several seeds, the healthy ones too: one table.

    python -m benchmarks.diagnosis [--seeds 5] [--part plain] [--only a,b] [--rows FILE] [--minutes 8]

Parts: `plain` (programs without Ray), `ray` (a small head of its own), `collectives` (gloo, needs torch), `held-out`,
`held-out-2`, `held-out-ray` (programs that no rule was tuned on when they were first scored, in no sum), `healthy`,
`healthy-ray`; without `--part` all of them. `--rows FILE` keeps each run's score and takes what is there as run, and
`--minutes` begins no further run after so long: the bench can be run in slices. Seed by seed, so that a slice has every
class.

Scores: the class of the first finding, its process, its line (where the fault has one); proved where a proof is due;
confidently wrong (a proved finding of another class or process, or any on a healthy program); seconds from the fault to
the verdict. Without Ray the samples are taken 1 and 2.5 s after the fault, on Ray at 3 and 5 s as the watch does; a
third one (at 4 and 12 s) where two of them name nothing, since the watch says `unknown` only after three.
The peers' rules: `peers.py`. Programs without Ray have no record at Ray's State API and dashboard: not scored there.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.diagnosis import peers
from benchmarks.diagnosis.score import Score, Scores
from benchmarks.diagnosis.table import print_tables
from tests.faults.faults import (
    COLLECTIVES,
    FAULTS,
    HEALTHY,
    HEALTHY_ON_RAY,
    HELD_OUT,
    HELD_OUT_HEALTHY,
    HELD_OUT_ON_RAY,
    HELD_OUT_SECOND,
    ON_RAY,
    Fault,
)
from tests.faults.harness import Outcome, watched
from tests.faults.ray_harness import Head, faulty_head, watched_on_ray

PARTS: dict[str, tuple[Fault, ...]] = {
    "plain": FAULTS,
    "ray": ON_RAY,
    "collectives": COLLECTIVES,
    "held-out": HELD_OUT,
    "held-out-2": HELD_OUT_SECOND,
    "held-out-ray": HELD_OUT_ON_RAY,
    "healthy": tuple(Fault(script, ()) for script in (*HEALTHY, *HELD_OUT_HEALTHY)),
    "healthy-ray": tuple(Fault(script, ()) for script in HEALTHY_ON_RAY),
}


def run(fault: Fault, part: str, seed: int, ray: Head | None) -> Score:
    """One program once."""
    named: dict[str, peers.Named] = {}

    def ask(outcome: Outcome, pids: tuple[int, ...]) -> None:
        truth = peers.Truth(
            outcome.culprits, frozenset(f"{outcome.script.name}:{line}" for line in outcome.lines), fault.classes
        )
        named["py-spy"] = peers.py_spy(pids, truth)
        if ray is not None:
            named["state-api"] = peers.state_api(ray, truth)
            named["dashboard"] = peers.dashboard(ray, truth)

    meanwhile = ask if fault.classes else None
    with tempfile.TemporaryDirectory(prefix="lsd") as folder:
        if ray is None:
            outcome = watched(fault.script, seed, Path(folder), meanwhile)
        else:
            outcome = watched_on_ray(ray, fault.script, seed, Path(folder), meanwhile)
    return Score.of(fault, part, seed, outcome, named)


def main() -> None:
    """A row a fault, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--only", default="")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    scores = Scores(arguments.rows)
    # A limit of time ends the bench with SIGTERM: as an exit, so that no program and no head stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(124))
    peers.enable_stacks_of_dashboard()
    ends = time.monotonic() + 60.0 * arguments.minutes
    parts = [arguments.part] if arguments.part else list(PARTS)
    with ExitStack() as stack:
        ray: Head | None = None
        for part, seed in ((part, seed) for part in parts for seed in range(arguments.seeds)):
            on_ray = part.endswith("ray")
            for fault in PARTS[part]:
                left_out = only and fault.script not in only
                if left_out or scores.has(fault.script, seed) or time.monotonic() > ends:
                    continue
                if on_ray and ray is None:
                    ray = stack.enter_context(faulty_head())
                scores.add(run(fault, part, seed, ray if on_ray else None))
    print_tables(scores.all)


if __name__ == "__main__":
    sys.exit(main())
