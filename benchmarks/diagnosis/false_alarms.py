"""Healthy phase histories with long tails through the phase limits: how often silence is called a stall.

    python -m benchmarks.diagnosis.false_alarms [--hours 600] [--seed 1]

Simulated, pure: phases last a log-normal time (sigma 0.4), one in fifty has a Pareto tail on top (alpha 2.5), and each
is silent from its beginning to its end, which is the worst case. Every sixth hour a new run begins and learns anew.
Proofs need snapshots and can't come from phase limits: `proved` is 0 by construction and not counted here.
"""

from __future__ import annotations

import argparse
import random

from monitor.detect import phase_limits, stall

MEANS = {"gen": 120.0, "reward": 15.0, "old_log_prob": 20.0, "update_actor": 60.0, "update_weights": 8.0}
TESTING_EVERY, TESTING_SECONDS = 10, 240.0
RUN_HOURS = 6.0


def duration(mean: float, dice: random.Random) -> float:
    """Seconds of one phase."""
    seconds = mean * dice.lognormvariate(0.0, 0.4)
    return seconds * dice.paretovariate(2.5) if dice.random() < 0.02 else seconds


def one_run(dice: random.Random) -> tuple[int, int]:
    """Phases and stalls of one healthy run."""
    history: dict[str, list[float]] = {}
    elapsed, step, phases, stalls = 0.0, 0, 0, 0
    while elapsed < RUN_HOURS * 3600:
        step += 1
        names = [*MEANS, "testing"] if step % TESTING_EVERY == 0 else list(MEANS)
        for name in names:
            seconds = duration(MEANS.get(name, TESTING_SECONDS), dice)
            stalls += stall.is_stall(seconds, phase_limits.limit(name, history))
            history.setdefault(name, []).append(seconds)
            elapsed, phases = elapsed + seconds, phases + 1
    return phases, stalls


def main() -> None:
    """One line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    runs = [one_run(dice) for _ in range(round(arguments.hours / RUN_HOURS))]
    phases, stalls = (sum(column) for column in zip(*runs))
    print(f"{len(runs) * RUN_HOURS:.0f} run-hours, {len(runs)} runs, {phases} phases: {stalls} suspected")


if __name__ == "__main__":
    main()
