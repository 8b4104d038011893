"""Two threads fill each other's queue and drain none."""

from __future__ import annotations

import os
import queue
import sys
import threading


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


FORTH: queue.Queue[int] = queue.Queue(maxsize=1)
BACK: queue.Queue[int] = queue.Queue(maxsize=1)


def forward_name() -> None:
    for number in range(3):
        FORTH.put(number)  # culprit
    BACK.get()


def backward_name() -> None:
    for number in range(3):
        BACK.put(number)  # culprit
    FORTH.get()


def main() -> None:
    threads = [threading.Thread(target=target) for target in (forward_name, backward_name)]
    for thread in threads:
        thread.start()
    tell(os.getpid())
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
