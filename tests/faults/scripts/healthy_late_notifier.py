"""Healthy: a timer of the loop will notify the condition."""

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


async def notify_name(ready: asyncio.Condition) -> None:
    await asyncio.sleep(3600)
    async with ready:
        ready.notify_all()


async def drive() -> None:
    ready = asyncio.Condition()
    notifier = asyncio.create_task(notify_name(ready))
    async with ready:
        tell(os.getpid())
        await ready.wait()
    await notifier


def main() -> None:
    asyncio.run(drive())


if __name__ == "__main__":
    main()
