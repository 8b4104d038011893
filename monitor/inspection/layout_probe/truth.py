"""Pending tasks of this very process, told from inside: the reader's answer about them has to be the same.

One task for each kind of wait that the reader knows, at different depths; the loop is idle while it is read.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from typing import Any

OWN_NAME = "layout probe itself"


async def deep(wait: Any, depth: int) -> Any:
    """`wait`, `depth` coroutines further in."""
    if depth:
        return await deep(wait, depth - 1)
    return await wait


async def numbers(event: asyncio.Event) -> AsyncIterator[int]:
    """An asynchronous generator that waits for its first number."""
    await event.wait()
    yield 1


async def first_number(event: asyncio.Event) -> int:
    """Waits in an asynchronous generator."""
    async for number in numbers(event):
        return number
    return 0


def pending(loop: asyncio.AbstractEventLoop) -> list[tuple[asyncio.Task[Any], str, list[str]]]:
    """Tasks, what each waits on, and the names of the tasks it waits for."""
    event, lock, queue = asyncio.Event(), asyncio.Lock(), asyncio.Queue[int]()
    asyncio.ensure_future(lock.acquire(), loop=loop).set_name("takes the lock")
    bare: asyncio.Future[Any] = loop.create_future()
    made: list[tuple[asyncio.Task[Any], str, list[str]]] = []

    def add(name: str, coroutine: Any, kind: str, *others: str) -> asyncio.Task[Any]:
        task = loop.create_task(coroutine, name=name)
        made.append((task, kind, list(others)))
        return task

    one = add("event", deep(event.wait(), 3), "event")
    two = add("sleep ☃ 睡", deep(asyncio.sleep(3600), 1), "sleep")
    add("lock", deep(_locked(lock), 0), "lock")
    add("queue ü", deep(queue.get(), 2), "queue")
    add("future", deep(bare, 4), "future")
    add("task", deep(one, 0), "task", "event")
    add("gather", _gathers(one, two), "gather", "event", "sleep ☃ 睡")
    add("first of", _first_of(one, two), "task", "event", "sleep ☃ 睡")
    add("generator", first_number(event), "event")
    return made


async def _locked(lock: asyncio.Lock) -> None:
    async with lock:
        pass


async def _gathers(*tasks: Any) -> Any:
    return await asyncio.gather(*tasks)


async def _first_of(*tasks: Any) -> Any:
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


def frames(task: asyncio.Task[Any]) -> list[list[Any]]:
    """[function, file, line] of a suspended task's chain, outermost first."""
    told: list[list[Any]] = []
    current: Any = task.get_coro()
    while current is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(current, f"{kind}_frame", None)
            if frame is not None:
                told.append([current.__qualname__, frame.f_code.co_filename, frame.f_lineno])
                current = getattr(current, f"{kind}_await", None) or getattr(current, f"{kind}_yieldfrom", None)
                break
        else:
            held = [
                thing for thing in gc.get_referents(current) if hasattr(thing, "cr_frame") or hasattr(thing, "ag_frame")
            ]
            current = held[0] if held else None
    return told


def _end(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def serve(say: Any) -> None:
    """Make the tasks, let them come to their waits, tell of them, and wait until the standard input ends."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    task.set_name(OWN_NAME)
    made = pending(loop)
    for _ in range(5):
        await asyncio.sleep(0)
    truth = [
        {"name": task.get_name(), "frames": frames(task), "waits_on": kind, "waits_for": sorted(others)}
        for task, kind, others in made
    ]
    ended: asyncio.Future[None] = loop.create_future()
    descriptor = sys.stdin.fileno()
    loop.add_reader(descriptor, _end, ended)
    say(truth)
    await ended
    for task, _, _ in made:
        task.cancel()
    await asyncio.gather(*(task for task, _, _ in made), return_exceptions=True)
