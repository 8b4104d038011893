"""Actors of a small job that hangs, or is healthy but strange, in one stated way. Plain classes, made remote at use."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

SLOTS = 6
SOON_SECONDS = 40


class RolloutServer:
    """Serves `generate` on an event loop; what it does wrong is its `mode`."""

    def __init__(self, mode: str, full: str) -> None:
        self.mode = mode
        self.full = full
        self.waiting = 0
        self.weights = asyncio.Event()
        self.guard = threading.Lock()
        self.guard.acquire()
        self.replies: dict[int, asyncio.Future[int]] = {}
        self.me: Any = None

    def introduce(self, me: list[Any]) -> int:
        self.me = me[0]
        return os.getpid()

    async def version(self) -> int:
        return 1

    async def update_weights(self) -> None:
        self.weights.set()

    async def generate(self, index: int) -> int:
        if self.mode == "control-queue":
            self.waiting += 1
            if self.waiting == SLOTS:
                _tell(self.full)
            await self.weights.wait()
        elif self.mode == "self-get" and index == 3:
            return self._newest(index)
        elif self.mode == "loop-blocked" and index == 3:
            self.guard.acquire()
        elif self.mode == "lost-wakeup" and index == 3:
            return await self._reply(index)
        elif self.mode in ("engine-stopped", "timers"):
            await asyncio.sleep(0.2 if self.mode == "timers" else 3600)
            if self.mode == "timers":
                await self.generate(index)
        elif index == 3:
            return await self._healthy(index)
        return index

    async def _healthy(self, index: int) -> int:
        """Slow or odd, but not hung."""
        if self.mode == "computing":
            await asyncio.to_thread(_spin)
        elif self.mode == "ticking":
            self.replies[index] = asyncio.get_running_loop().create_future()
            threading.Timer(SOON_SECONDS, self._answer_from_thread, [index, asyncio.get_running_loop()]).start()
            await self.replies[index]
        elif self.mode == "asking":
            await asyncio.to_thread(_ask_a_slow_service)
        elif self.mode == "child":
            child = await asyncio.create_subprocess_exec("sleep", str(SOON_SECONDS))
            await child.wait()
        return index

    def _answer_from_thread(self, index: int, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(self.replies[index].set_result, index)

    def _newest(self, index: int) -> int:
        import ray

        return index + ray.get(self.me.version.remote())

    async def _reply(self, index: int) -> int:
        self.replies[index] = asyncio.get_running_loop().create_future()
        return await self.replies[index]


class AgentLoopWorker:
    """Fans a batch out to the server."""

    def __init__(self, server: Any) -> None:
        self.server = server

    async def _run_agent_loop(self, index: int) -> int:
        return await self.server.generate.remote(index)

    async def generate_sequences(self, first: int, count: int) -> list[int]:
        return await asyncio.gather(*[self._run_agent_loop(first + index) for index in range(count)])


class WorkerDict:
    """A train worker that computes without a pause."""

    def update_actor(self) -> float:
        return _spin()


class TaskRunner:
    """The trainer."""

    def run(self, mode: str, told: str) -> None:
        import ray

        full = f"{told}.full"
        server = ray.remote(RolloutServer).options(name="rollout_server_0", max_concurrency=SLOTS).remote(mode, full)
        ray.get(server.introduce.remote([server]))
        workers = [ray.remote(AgentLoopWorker).options(name=f"agent_{number}").remote(server) for number in range(2)]
        ray.get([worker.generate_sequences.remote(0, 1) for worker in workers] if mode == "lost-wakeup" else [])
        if mode == "training":
            trained = ray.remote(WorkerDict).options(name="train").remote().update_actor.remote()
            _tell(told)
            ray.get(trained)
        refs = [worker.generate_sequences.remote(3 * number, 3) for number, worker in enumerate(workers)]
        if mode == "control-queue":
            while not os.path.exists(full):
                time.sleep(0.05)
            refs = [server.update_weights.remote()]
        _tell(told)
        self._validate(refs)

    def _validate(self, refs: list[Any]) -> None:
        import ray

        ray.get(refs)


def _ask_a_slow_service() -> None:
    """A reward service that takes its time: a socket to another process of this machine, which is none of Ray's."""
    script = "import socket,time; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); "
    script += f"c,_=s.accept(); time.sleep({SOON_SECONDS})"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as service:
        port = int((service.stdout.readline() if service.stdout else "") or 0)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.recv(1)


def _tell(path: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(str(os.getpid()))


def _spin() -> float:
    until, total = time.monotonic() + 60, 0.0
    while time.monotonic() < until:
        total += sum(number * number for number in range(1000))
    return total
