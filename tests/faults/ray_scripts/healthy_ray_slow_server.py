"""Healthy: a server's slots are all in use by requests that work."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import ray


def tell(path: str, pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(path + ".new", path)


# seed: padding


class RolloutServer:
    async def generate(self, told: str) -> int:
        await asyncio.to_thread(time.sleep, 3600)
        return 1

    async def resume_name(self) -> None:
        return None


class TaskRunner:
    def run(self, told: str, server: Any) -> None:
        held = [server.generate.remote(told) for _ in range(2)]
        waiting = server.resume_name.remote()
        tell(told, os.getpid())
        ray.get([waiting, *held])


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    server = ray.remote(RolloutServer).options(name="rollout_server_name", num_cpus=0, max_concurrency=2).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], server))


if __name__ == "__main__":
    main()
