"""A write to a FIFO that nobody reads."""

from __future__ import annotations

import os
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def main() -> None:
    path = sys.argv[1] + ".fifo"
    os.mkfifo(path)
    tell(os.getpid())
    with open(path, "w"):  # culprit
        pass


if __name__ == "__main__":
    main()
