"""A server waits inside its loop for a call of its own."""

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


class RolloutServer:
    async def generate(self, number: int) -> int:
        return number

    async def update_name(self, told: str) -> Any:
        myself = ray.get_runtime_context().current_actor
        waiting = myself.generate.remote(1)
        tell(told, os.getpid())
        return down(lambda: ray.get(waiting))  # culprit


class TaskRunner:
    def run(self, told: str, server: Any) -> None:
        ray.get(server.update_name.remote(told))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    server = ray.remote(RolloutServer).options(name="rollout_server_name", num_cpus=0, max_concurrency=8).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], server))


if __name__ == "__main__":
    main()
