"""Three async actors, found by name, that await each other in a ring, each with one slot."""

from __future__ import annotations

import os
import sys

import ray


def tell(path: str, *pids: int) -> None:
    """Name the culprits; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(" ".join(map(str, pids)))
    os.rename(path + ".new", path)


# seed: padding


@ray.remote(num_cpus=0, max_concurrency=1)
class RewardLoopWorker:
    async def pid(self) -> int:
        return os.getpid()

    async def ask_name(self, number: int) -> int:
        other = ray.get_actor(f"ring_name_{(number + 1) % 3}")
        return await other.ask_name.remote(number + 1)  # culprit


@ray.remote(num_cpus=0)
class TaskRunner:
    def run(self, told: str) -> None:
        ring = [RewardLoopWorker.options(name=f"ring_name_{number}").remote() for number in range(3)]
        pids = ray.get([worker.pid.remote() for worker in ring])
        ref = ring[0].ask_name.remote(0)
        tell(told, *pids)
        ray.get(ref)


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    ray.get(TaskRunner.options(name="task_runner").remote().run.remote(sys.argv[1]))


if __name__ == "__main__":
    main()
