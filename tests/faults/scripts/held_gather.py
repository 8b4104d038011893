"""Nested tasks wait for a queue of asyncio whose item was never called done."""

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


async def work_name(samples: asyncio.Queue[int]) -> None:
    await samples.get()


async def drain_name(samples: asyncio.Queue[int]) -> None:
    await samples.join()  # culprit


async def rollout() -> None:
    samples: asyncio.Queue[int] = asyncio.Queue()
    samples.put_nowait(1)
    tell(os.getpid())
    await asyncio.gather(work_name(samples), asyncio.create_task(drain_name(samples)))


async def drive() -> None:
    await asyncio.gather(*[asyncio.create_task(rollout())])


def main() -> None:
    asyncio.run(drive())


if __name__ == "__main__":
    main()
