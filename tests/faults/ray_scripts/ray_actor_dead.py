"""A killed actor can't come back: another took its CPUs while it was down."""

from __future__ import annotations

import os
import signal
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


RESTARTS = {"max_restarts": -1, "max_task_retries": -1}


DEPTH = 0  # seed: depth


def down(call: Callable[[], Any], depth: int = DEPTH) -> Any:
    return down(call, depth - 1) if depth else call()


class RewardWorker:
    def pid(self) -> int:
        return os.getpid()

    def compute_name(self) -> int:
        return 1


class TaskRunner:
    def run(self, told: str, reward: Any) -> None:
        pid = ray.get(reward.pid.remote())
        taker = ray.remote(RewardWorker).options(name="taker_name", num_cpus=2).remote()
        waiting = taker.pid.remote()
        os.kill(pid, signal.SIGKILL)
        ray.get(waiting)
        tell(told, os.getpid())
        down(lambda: ray.get(reward.compute_name.remote()))  # culprit


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    reward = ray.remote(RewardWorker).options(name="reward_name", num_cpus=2, **RESTARTS).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], reward))


if __name__ == "__main__":
    main()
