"""Healthy: minutes of work in one function."""

from __future__ import annotations

import os
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def compile_name() -> int:
    total = 0
    while True:
        total += sum(range(1000))


def main() -> None:
    tell(os.getpid())
    compile_name()


if __name__ == "__main__":
    main()
