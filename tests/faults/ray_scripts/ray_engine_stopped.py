"""A server's process is stopped by a signal."""

from __future__ import annotations

import os
import signal
import sys
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
        tell(told, os.getpid())
        os.kill(os.getpid(), signal.SIGSTOP)
        return 1


class TaskRunner:
    def run(self, told: str, server: Any) -> None:
        ray.get(server.generate.remote(told))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    server = ray.remote(RolloutServer).options(name="rollout_server_name", num_cpus=0, max_concurrency=8).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], server))


if __name__ == "__main__":
    main()
