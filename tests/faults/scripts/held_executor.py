"""A loop waits for run_in_executor, whose thread waits for a semaphore that a failed request never gave back."""

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


slots_name = threading.Semaphore(1)


def request_name(number: int) -> int:
    slots_name.acquire()  # culprit
    if number == 0:
        raise ValueError(number)
    slots_name.release()
    return number


async def work() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.gather(loop.run_in_executor(None, request_name, 0), return_exceptions=True)
    tell(os.getpid())
    await loop.run_in_executor(None, request_name, 1)


def main() -> None:
    asyncio.run(work())


if __name__ == "__main__":
    main()
