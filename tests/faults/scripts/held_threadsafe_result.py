"""A coroutine blocks its own loop with the result of a call that it gave to that loop."""

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


async def answer_name() -> int:
    return 1


def ask_name(loop: asyncio.AbstractEventLoop) -> int:
    return asyncio.run_coroutine_threadsafe(answer_name(), loop).result()  # culprit


async def drive() -> None:
    tell(os.getpid())
    ask_name(asyncio.get_running_loop())


def main() -> None:
    asyncio.run(drive())


if __name__ == "__main__":
    main()
