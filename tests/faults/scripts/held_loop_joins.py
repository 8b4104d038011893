"""A loop's callback joins a thread that waits for a coroutine of that loop."""

from __future__ import annotations

import asyncio
import os
import sys
import threading


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


async def version_name() -> int:
    return 1


def ask_name(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.run_coroutine_threadsafe(version_name(), loop).result()  # culprit


async def work() -> None:
    thread = threading.Thread(target=ask_name, args=[asyncio.get_running_loop()])
    thread.start()
    tell(os.getpid())
    thread.join()  # culprit


def main() -> None:
    asyncio.run(work())


if __name__ == "__main__":
    main()
