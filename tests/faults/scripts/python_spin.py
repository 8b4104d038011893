"""A loop without an end, all of whose work is one line: that is the line a sample is of."""

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
    tell(os.getpid())
    value_name = 1
    while True:
        value_name = sum(range(100_000)) + value_name % 7  # culprit


if __name__ == "__main__":
    main()
