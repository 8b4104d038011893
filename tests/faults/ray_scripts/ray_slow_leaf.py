"""A plain task sleeps, and the run waits for it."""

from __future__ import annotations

import os
import sys
import time
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


def filter_name(told: str) -> int:
    tell(told, os.getpid())
    down(lambda: time.sleep(3600))  # culprit
    return 1


class TaskRunner:
    def run(self, told: str) -> None:
        ray.get(ray.remote(filter_name).options(num_cpus=1).remote(told))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)

    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1]))


if __name__ == "__main__":
    main()
