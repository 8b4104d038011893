"""Held requests fill a server's slots, and the call that would resume it is queued, as in verl#7587."""

from __future__ import annotations

import asyncio
import os
import sys
import time
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
        self.resumed = asyncio.Event()
        self.held = 0

    async def generate(self, told: str) -> int:
        self.held += 1
        if self.held == 4:
            tell(told, os.getpid())
        await adown(self.pause)
        return self.held

    async def pause(self) -> None:
        await self.resumed.wait()  # culprit

    async def resume_name(self) -> None:
        self.resumed.set()


class AgentLoopWorker:
    async def generate_sequences(self, told: str, server: Any) -> list[int]:
        return list(await asyncio.gather(*[server.generate.remote(told) for _ in range(4)]))


class TaskRunner:
    def run(self, told: str, agent: Any, server: Any) -> None:
        held = agent.generate_sequences.remote(told, server)
        while not os.path.exists(told):
            time.sleep(0.05)
        ray.get(server.resume_name.remote())  # culprit
        ray.get(held)


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    agent = ray.remote(AgentLoopWorker).options(name="agent_loop_name", num_cpus=0).remote()
    server = ray.remote(RolloutServer).options(name="rollout_server_name", num_cpus=0, max_concurrency=4).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], agent, server))


if __name__ == "__main__":
    main()
