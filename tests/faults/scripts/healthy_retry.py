"""Healthy: a retry loop with growing pauses."""

from __future__ import annotations

import os
import sys
import time


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def main() -> None:
    tell(os.getpid())
    for pause in range(1, 100):
        time.sleep(pause)


if __name__ == "__main__":
    main()
