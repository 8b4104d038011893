"""A task waits for a condition whose notifier has ended."""

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


async def consume_name(ready: asyncio.Condition) -> None:
    async with ready:
        tell(os.getpid())
        await ready.wait()  # culprit


async def notify_name(ready: asyncio.Condition) -> None:
    async with ready:
        ready.notify_all()


async def drive() -> None:
    ready = asyncio.Condition()
    await asyncio.gather(notify_name(ready), consume_name(ready))


def main() -> None:
    asyncio.run(drive())


if __name__ == "__main__":
    main()
