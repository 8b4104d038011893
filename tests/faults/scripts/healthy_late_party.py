"""Healthy: the last party of a barrier still works."""

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


BARRIER = threading.Barrier(2)


def come_late_name() -> None:
    time.sleep(3600)
    BARRIER.wait()


def main() -> None:
    threading.Thread(target=come_late_name, daemon=True).start()
    tell(os.getpid())
    BARRIER.wait()


if __name__ == "__main__":
    main()
