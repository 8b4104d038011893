"""An asyncio.Lock kept by a task that waits for an event which the lock's next holder would set."""

from __future__ import annotations

import asyncio
import os
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


async def holder_name(lock: asyncio.Lock, ready: asyncio.Event) -> None:
    async with lock:
        await ready.wait()  # culprit


async def setter_name(lock: asyncio.Lock, ready: asyncio.Event) -> None:
    async with lock:  # culprit
        ready.set()


async def work() -> None:
    lock, ready = asyncio.Lock(), asyncio.Event()
    first = asyncio.create_task(holder_name(lock, ready))
    await asyncio.sleep(0.1)
    tell(os.getpid())
    async with asyncio.TaskGroup() as group:
        group.create_task(setter_name(lock, ready))
    await first


def main() -> None:
    asyncio.run(work())


if __name__ == "__main__":
    main()
