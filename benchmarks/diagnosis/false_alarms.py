"""Healthy phase histories with long tails through the phase limits: how often silence is called a stall.

    python -m benchmarks.diagnosis.false_alarms [--hours 600] [--seed 1]

Simulated, pure: phases last a log-normal time (sigma 0.4), one in fifty has a Pareto tail on top (alpha 2.5), and each
is silent from its beginning to its end, which is the worst case. Every sixth hour a new run begins. Two rows of the
same dice: as the watch learns, from the ledger's earlier runs of the same kind too (the first run learns anew); and as
if each run were the first one in its ledger. Proofs need snapshots and can't come from phase limits: `proved` is 0 by
construction and not counted here.
"""

from __future__ import annotations

import argparse
import random

from monitor.detect import phase_limits, stall

MEANS = {"gen": 120.0, "reward": 15.0, "old_log_prob": 20.0, "update_actor": 60.0, "update_weights": 8.0}
TESTING_EVERY, TESTING_SECONDS = 10, 240.0
RUN_HOURS = 6.0
MOST_KEPT = 200


def duration(mean: float, dice: random.Random) -> float:
    """Seconds of one phase."""
    seconds = mean * dice.lognormvariate(0.0, 0.4)
    return seconds * dice.paretovariate(2.5) if dice.random() < 0.02 else seconds


def one_run(dice: random.Random, history: dict[str, list[float]]) -> tuple[int, int]:
    """Phases and stalls of one healthy run; `history` is what was learned before it, and grows by it."""
    elapsed, step, phases, stalls = 0.0, 0, 0, 0
    while elapsed < RUN_HOURS * 3600:
        step += 1
        names = [*MEANS, "testing"] if step % TESTING_EVERY == 0 else list(MEANS)
        for name in names:
            seconds = duration(MEANS.get(name, TESTING_SECONDS), dice)
            stalls += stall.is_stall(seconds, phase_limits.limit(name, history))
            history[name] = _with(history.get(name, []), seconds)
            elapsed, phases = elapsed + seconds, phases + 1
    return phases, stalls


def _with(known: list[float], seconds: float) -> list[float]:
    """A limit follows from the longest duration and their number alone, which is past all effect beyond `MOST_KEPT`."""
    return [*known, seconds] if len(known) < MOST_KEPT else [max(*known, seconds)] * MOST_KEPT


def main() -> None:
    """A line a way of learning."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    number = round(arguments.hours / RUN_HOURS)
    for learned in ("from the ledger", "anew in each run"):
        dice, kept = random.Random(arguments.seed), dict[str, list[float]]()
        runs = [one_run(dice, kept if learned == "from the ledger" else {}) for _ in range(number)]
        phases, stalls = (sum(column) for column in zip(*runs))
        told = f"{number * RUN_HOURS:.0f} run-hours, {number} runs, {phases} phases"
        print(f"{told}, limits learned {learned}: {stalls} suspected")


if __name__ == "__main__":
    main()
