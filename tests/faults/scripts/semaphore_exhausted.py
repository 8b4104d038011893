"""A holder of a semaphore never gave it back."""

from __future__ import annotations

import os
import sys
import threading


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


SLOTS = threading.Semaphore(2)


def main() -> None:
    for _ in range(2):
        SLOTS.acquire()
    tell(os.getpid())
    SLOTS.acquire()  # culprit


if __name__ == "__main__":
    main()
