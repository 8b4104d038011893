"""A call of an actor takes the result of a coroutine that it gave to its own loop."""

from __future__ import annotations

import asyncio
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


class AgentLoopWorker:
    async def answer(self) -> int:
        return 1

    async def generate_sequences(self, told: str) -> int:
        waiting = asyncio.run_coroutine_threadsafe(self.answer(), asyncio.get_running_loop())
        tell(told, os.getpid())
        return down(lambda: waiting.result())  # culprit


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
