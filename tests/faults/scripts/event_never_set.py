"""A thread waits for an event whose setter has ended."""

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


READY = threading.Event()


def main() -> None:
    tell(os.getpid())
    READY.wait()  # culprit


if __name__ == "__main__":
    main()
