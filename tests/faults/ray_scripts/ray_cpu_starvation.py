"""Actors hold all CPUs for their lives, and a task needs one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import ray


def tell(path: str, pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(path + ".new", path)


# seed: padding


DEPTH = 0  # seed: depth


def down(call: Callable[[], Any], depth: int = DEPTH) -> Any:
    return down(call, depth - 1) if depth else call()


class RewardWorker:
    def pid(self) -> int:
        return os.getpid()


def score_name() -> int:
    return 1


class TaskRunner:
    def run(self, told: str, first: Any, second: Any) -> None:
        ray.get([first.pid.remote(), second.pid.remote()])
        waiting = ray.remote(score_name).options(num_cpus=1).remote()
        tell(told, os.getpid())
        down(lambda: ray.get(waiting))  # culprit


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    first = ray.remote(RewardWorker).options(name="first_name", num_cpus=1).remote()
    second = ray.remote(RewardWorker).options(name="second_name", num_cpus=1).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], first, second))


if __name__ == "__main__":
    main()
