"""Healthy: an agent loop waits for a reply that a timer of its loop will bring."""

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


class AgentLoopWorker:
    async def generate_sequences(self, told: str) -> int:
        replied = asyncio.Event()
        asyncio.get_running_loop().call_later(3600, replied.set)
        tell(told, os.getpid())
        await adown(replied.wait)
        return 1


class TaskRunner:
    def run(self, told: str, agent: Any) -> None:
        ray.get(agent.generate_sequences.remote(told))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    agent = ray.remote(AgentLoopWorker).options(name="agent_loop_name", num_cpus=0).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], agent))


if __name__ == "__main__":
    main()
