"""Healthy: garbage collection again and again."""

from __future__ import annotations

import gc
import os
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def main() -> None:
    held = [[number] for number in range(400_000)]
    tell(os.getpid())
    while held:
        gc.collect()


if __name__ == "__main__":
    main()
