"""Healthy: a thread sets the event after a long tail."""

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


DONE = threading.Event()


def main() -> None:
    threading.Timer(40, DONE.set).start()
    tell(os.getpid())
    DONE.wait()


if __name__ == "__main__":
    main()
