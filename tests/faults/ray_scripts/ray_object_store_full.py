"""A task holds a large argument while it waits for a task whose own argument has no room beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import ray

HALF = 40 << 20
"""Bytes: two of these are more than the share of a store of 100 MB that arguments may hold."""


def tell(path: str, pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(path + ".new", path)


# seed: padding


DEPTH = 0  # seed: depth


def down(call: Callable[[], Any], depth: int = DEPTH) -> Any:
    return down(call, depth - 1) if depth else call()


def score_name(batch: bytes) -> int:
    return len(batch)


def hold(batch: bytes, told: str) -> Any:
    waiting = ray.remote(score_name).remote(ray.put(bytes(HALF)))
    tell(told, os.getpid())
    return down(lambda: ray.get(waiting))  # culprit


class TaskRunner:
    def run(self, told: str) -> None:
        ray.get(ray.remote(hold).remote(ray.put(bytes(HALF)), told))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1]))


if __name__ == "__main__":
    main()
