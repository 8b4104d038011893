"""Two threads take two locks in opposite order."""

from __future__ import annotations

import os
import sys
import threading
import time


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


FIRST, SECOND = threading.Lock(), threading.Lock()


def other_name() -> None:
    with SECOND:
        time.sleep(0.3)
        FIRST.acquire()  # culprit


def main() -> None:
    thread = threading.Thread(target=other_name, daemon=True)
    with FIRST:
        thread.start()
        tell(os.getpid())
        time.sleep(0.3)
        SECOND.acquire()  # culprit


if __name__ == "__main__":
    main()
