"""Healthy: many idle threads wait in queues while one works."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


WORK: queue.Queue[int] = queue.Queue()


def main() -> None:
    for _ in range(20):
        threading.Thread(target=WORK.get, daemon=True).start()
    worker = threading.Thread(target=time.sleep, args=[3600], daemon=True)
    worker.start()
    tell(os.getpid())
    worker.join()


if __name__ == "__main__":
    main()
