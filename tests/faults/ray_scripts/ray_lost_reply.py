"""An agent loop waits for a reply that was dropped, the engine is idle, as in verl#7180."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
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
    async def generate(self, number: int) -> int:
        return number


class AgentLoopWorker:
    async def ask_name(self, server: Any, told: str) -> int:
        replied = asyncio.Event()
        await server.generate.remote(1)
        tell(told, os.getpid())
        await adown(partial(self.receive, replied))
        return 1

    async def receive(self, replied: asyncio.Event) -> None:
        await replied.wait()  # culprit

    async def generate_sequences(self, told: str, server: Any) -> list[int]:
        return await asyncio.gather(*[asyncio.create_task(self.ask_name(server, told)) for _ in range(3)])


class TaskRunner:
    def run(self, told: str, agent: Any, server: Any) -> None:
        ray.get(agent.generate_sequences.remote(told, server))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    agent = ray.remote(AgentLoopWorker).options(name="agent_loop_name", num_cpus=0).remote()
    server = ray.remote(RolloutServer).options(name="rollout_server_name", num_cpus=0, max_concurrency=8).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], agent, server))


if __name__ == "__main__":
    main()
