"""A task in a task in a task, the innermost of which takes from an empty queue."""

from __future__ import annotations

import os
import queue
import sys

import ray


def tell(path: str, *pids: int) -> None:
    """Name the culprits; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(" ".join(map(str, pids)))
    os.rename(path + ".new", path)


# seed: padding


@ray.remote(num_cpus=0)
def nested_name(told: str, depth: int) -> int:
    if depth:
        return ray.get(nested_name.remote(told, depth - 1))
    tell(told, os.getpid())
    return queue.Queue().get()  # culprit


@ray.remote(num_cpus=0)
class TaskRunner:
    def run(self, told: str) -> None:
        ray.get(nested_name.remote(told, 2))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    ray.get(TaskRunner.options(name="task_runner").remote().run.remote(sys.argv[1]))


if __name__ == "__main__":
    main()
