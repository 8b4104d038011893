"""Healthy: a sleep that a signal will end."""

from __future__ import annotations

import os
import signal
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def main() -> None:
    signal.setitimer(signal.ITIMER_REAL, 3000)
    tell(os.getpid())
    signal.pause()


if __name__ == "__main__":
    main()
