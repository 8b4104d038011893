"""A placement group is too big for the cluster, as in verl#7656."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import ray
from ray.util.placement_group import placement_group


def tell(path: str, pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(path + ".new", path)


# seed: padding


DEPTH = 0  # seed: depth


def down(call: Callable[[], Any], depth: int = DEPTH) -> Any:
    return down(call, depth - 1) if depth else call()


class TaskRunner:
    def run(self, told: str) -> None:
        group = placement_group([{"CPU": 8}] * 2, name="pool_name", strategy="STRICT_PACK")
        waiting = [group.ready()]
        tell(told, os.getpid())
        down(lambda: ray.get(waiting))  # culprit


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)

    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1]))


if __name__ == "__main__":
    main()
