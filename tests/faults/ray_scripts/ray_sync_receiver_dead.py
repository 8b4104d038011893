"""A worker sends weights to a server whose receiving thread died, as in verl#7366."""

from __future__ import annotations

import os
import socket
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
    def listen_name(self) -> int:
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.receive, daemon=True).start()
        return int(self.server.getsockname()[1])

    def receive(self) -> None:
        self.connection = self.server.accept()[0]
        self.connection.recv(1)
        raise SystemExit


class WorkerDict:
    def send_weights(self, told: str, port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"weights")
            tell(told, os.getpid())
            return down(lambda: connection.recv(1))  # culprit


class TaskRunner:
    def run(self, told: str, server: Any, worker: Any) -> None:
        ray.get(worker.send_weights.remote(told, ray.get(server.listen_name.remote())))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    server = ray.remote(RolloutServer).options(name="rollout_server_name", num_cpus=0).remote()
    worker = ray.remote(WorkerDict).options(name="worker_name", num_cpus=0).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], server, worker))


if __name__ == "__main__":
    main()
