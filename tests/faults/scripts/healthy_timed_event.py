"""Healthy: waits for an event with a deadline."""

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


def main() -> None:
    tell(os.getpid())
    threading.Event().wait(3600)


if __name__ == "__main__":
    main()
