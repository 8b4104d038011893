"""A process whose asyncio tasks switch all the time, in shapes that its own names foretell: the target of reader_truth.

    python reader_load.py TASKS SWITCHES_PER_SECOND SECONDS

Standard library only. Each task `w-<n>-<depth>` waits `depth` coroutines below `worker`, by turns in a sleep and on a
bare future; beside them short tasks are made and end. Prints the switches that happened, once it ends.
"""

from __future__ import annotations

import asyncio
import sys
import time

SWITCHES = 0


async def hop(depth: int, turn: int, pause: float) -> None:
    global SWITCHES
    if depth:
        await hop(depth - 1, turn, pause)
        return
    SWITCHES += 1
    if turn % 2:
        await asyncio.sleep(pause)
        return
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(pause, future.set_result, None)
    await future


async def worker(depth: int, pause: float) -> None:
    turn = 0
    while True:
        await hop(depth, turn, pause)
        turn += 1


async def main(tasks: int, rate: float, seconds: float) -> None:
    pause = tasks / rate
    kept = [asyncio.create_task(worker(n % 7, pause), name=f"w-{n}-{n % 7}") for n in range(tasks)]
    print("ready", flush=True)
    began, ends = time.monotonic(), time.monotonic() + seconds
    while time.monotonic() < ends:
        await asyncio.gather(*(asyncio.create_task(hop(2, turn, 0.001), name="short") for turn in range(4)))
    print(SWITCHES / (time.monotonic() - began), flush=True)
    for task in kept:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
