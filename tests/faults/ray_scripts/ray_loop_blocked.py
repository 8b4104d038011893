"""A call of a server waits for a lock of threads inside the loop."""

from __future__ import annotations

import os
import sys
import threading
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
    def __init__(self) -> None:
        self.lock = threading.Lock()

    async def update_name(self, told: str) -> None:
        self.lock.acquire()
        tell(told, os.getpid())
        down(lambda: self.lock.acquire())  # culprit
        return None


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
