"""A rollout server is drained before its weights are updated, and one of its requests never ends, as in verl#7511."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import ray


def tell(path: str, pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(path + ".new", path)


# seed: padding


DEPTH = 0  # seed: depth


async def adown(call: Callable[[], Awaitable[Any]], depth: int = DEPTH) -> Any:
    return await (adown(call, depth - 1) if depth else call())


class RolloutServer:
    def __init__(self) -> None:
        self.requests = 0
        self.paused = asyncio.Event()

    async def generate_name(self) -> int:
        self.requests += 1
        await self.paused.wait()
        self.requests -= 1
        return self.requests

    async def wait_for_requests_to_drain(self, told: str) -> None:
        await asyncio.sleep(0.5)
        tell(told, os.getpid())
        while self.requests:
            await asyncio.sleep(1.0)  # culprit

    async def update_weights(self, told: str) -> None:
        await adown(lambda: self.wait_for_requests_to_drain(told))


class TaskRunner:
    def run(self, told: str, server: Any) -> None:
        server.generate_name.remote()
        ray.get(server.update_weights.remote(told))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    server = ray.remote(RolloutServer).options(name="rollout_server_name", num_cpus=0, max_concurrency=8).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], server))


if __name__ == "__main__":
    main()
