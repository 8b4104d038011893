"""A process with pending tasks of every kind, which tells of them from inside by the hooks' own description.

    python target.py quiet|blocked|eager [uvloop]

Runs on any CPython from 3.10 on, with the repository on its path and nothing else. Prints one JSON line (`tasks`,
`loops` as the responder would answer) and stays until its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import sys
import threading
import time
import types
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainer_hooks import event_loops

KEPT: list[Any] = []


async def deep(wait: Any, depth: int) -> Any:
    if depth:
        return await deep(wait, depth - 1)
    return await wait


async def winding(event: asyncio.Event) -> None:
    """Waits in the midst of much: the line must be that of the await, not one near it."""
    for number in range(3):
        with contextlib.suppress(ValueError):
            try:
                if number == 2:
                    total = sum(
                        value
                        for value in range(
                            number,
                        )
                    )
                    await event.wait()
                    print(total)
            finally:
                number += 1


class Guard:
    def __init__(self, event: asyncio.Event) -> None:
        self.event = event

    async def __aenter__(self) -> None:
        await self.event.wait()

    async def __aexit__(self, *_: Any) -> None: ...


class Awaitable:
    """Python code between a coroutine and its future."""

    def __init__(self, future: Any) -> None:
        self.future = future

    def __await__(self) -> Any:
        return (yield from self.future.__await__())


@types.coroutine
def old_style(future: Any) -> Any:
    return (yield from future)


async def guarded(event: asyncio.Event) -> None:
    async with Guard(event):
        pass


async def numbers(event: asyncio.Event) -> AsyncIterator[int]:
    yield 1
    await event.wait()
    yield 2


async def iterates(event: asyncio.Event) -> None:
    async for _ in numbers(event):
        pass


async def next_of(event: asyncio.Event) -> None:
    generator = numbers(event)
    await anext(generator, 0)
    await anext(generator, 0)


async def locked(lock: Any) -> None:
    async with lock:
        pass


async def notified(condition: asyncio.Condition) -> None:
    async with condition:
        await condition.wait()


async def gathers(*tasks: Any) -> None:
    await asyncio.gather(*tasks)


async def first_of(*tasks: Any) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def all_of(*tasks: Any) -> None:
    await asyncio.wait(tasks)


async def each_of(*tasks: Any) -> None:
    for task in asyncio.as_completed(tasks):
        await task


async def shielded(task: Any) -> None:
    await asyncio.shield(task)


async def times_out(wait: Any) -> None:
    await asyncio.wait_for(wait, 3600)


async def in_group(event: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
        group.create_task(event.wait(), name="grouped 1")
        group.create_task(event.wait(), name="grouped 2")


async def from_socket(end: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=end)
    KEPT.append(writer)
    await reader.readline()


async def child() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "600", stdout=asyncio.subprocess.DEVNULL)
    KEPT.append(process)
    await process.wait()


def on_another_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="second loop", daemon=True).start()
    return loop


def kinds(loop: asyncio.AbstractEventLoop, add: Callable[..., Any]) -> None:
    event, lock, semaphore = asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(1)
    add("holds lock", lock.acquire())
    add("holds semaphore", semaphore.acquire())
    one, two = add("event", deep(event.wait(), 3)), add("sleep ☃ 睡 𝄞", deep(asyncio.sleep(3600), 1))
    add("latin ü", locked(lock))
    add("semaphore", locked(semaphore))
    add("condition", notified(asyncio.Condition()))
    add("queue", deep(asyncio.Queue().get(), 2))
    add("future", deep(loop.create_future(), 0))
    add("very deep", deep(loop.create_future(), 40))
    add("beyond the bound", deep(loop.create_future(), 90))
    add("awaitable", deep(Awaitable(loop.create_future()), 1))
    add("old style", deep(old_style(loop.create_future()), 1))
    add("task", deep(one, 1))
    for function in (gathers, first_of, all_of, each_of):
        add(function.__name__, function(one, two))
    add("gathers coroutines", gathers(event.wait(), deep(event.wait(), 1)))
    add("shielded", shielded(one))
    add("times out", times_out(event.wait()))
    add("times out on a task", times_out(one))
    add("winding", winding(event))
    add("guarded", guarded(event))
    add("iterates", iterates(event))
    add("next of", next_of(event))
    add("x" * 3000, deep(event.wait(), 0))
    if sys.version_info >= (3, 11):
        add("group", in_group(event))
    ends = socket.socketpair()
    KEPT.extend((*ends, event, lock))
    add("socket", from_socket(ends[0]))
    add("subprocess", child())
    wait = threading.Event()
    pool = ThreadPoolExecutor(1)
    add("executor", deep(loop.run_in_executor(pool, wait.wait), 0))
    other = on_another_loop()
    there = asyncio.run_coroutine_threadsafe(deep(asyncio.sleep(3600), 1), other)
    add("other loop", deep(asyncio.wrap_future(there), 1))
    KEPT.extend((wait, pool, other, there))


def blocking(event: threading.Event) -> None:
    event.wait()


async def blocks() -> None:
    blocking(threading.Event())


async def main(scenario: str) -> None:
    loop = asyncio.get_running_loop()
    mine = asyncio.current_task()
    assert mine is not None
    mine.set_name("main")
    if scenario == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]

    def add(name: str, coroutine: Any) -> Any:
        task = loop.create_task(coroutine, name=name) if asyncio.iscoroutine(coroutine) else coroutine
        KEPT.append(task)
        return task

    kinds(loop, add)
    await asyncio.sleep(0.3)
    if scenario == "blocked":
        add("blocks", blocks())
        # Made under a loop that never gets to them.
        loop.call_soon(functools.partial(add, "never begins", asyncio.sleep(1)))
    ended = loop.create_future()
    threading.Thread(target=tells, name="tells", daemon=True).start()
    await ended


def tells() -> None:
    time.sleep(0.5)
    errors: list[str] = []
    loops, tasks, left_out = event_loops.describe(lambda where, error: errors.append(f"{where}: {error!r}"))
    print(json.dumps({"tasks": tasks, "loops": loops, "left_out": left_out, "errors": errors}), flush=True)
    sys.stdin.read()
    import os

    os._exit(0)


if __name__ == "__main__":
    if "uvloop" in sys.argv[2:]:
        import uvloop

        uvloop.install()
    asyncio.run(main(sys.argv[1]))
