"""A loop that polls for a file that nobody writes."""

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


def wait_for_name(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.5)  # culprit


def main() -> None:
    tell(os.getpid())
    wait_for_name(sys.argv[1] + ".done")


if __name__ == "__main__":
    main()
