"""A task asks for more CPUs than any node has."""

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


def score_name() -> int:
    return 1


class TaskRunner:
    def run(self, told: str) -> None:
        waiting = ray.remote(score_name).options(num_cpus=64).remote()
        tell(told, os.getpid())
        down(lambda: ray.get(waiting))  # culprit


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)

    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1]))


if __name__ == "__main__":
    main()
