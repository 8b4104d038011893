"""Healthy: a process of a pool works for long."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def load_name(number: int) -> int:
    time.sleep(3600)
    return number


def main() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        tell(os.getpid())
        pool.map(load_name, [1])


if __name__ == "__main__":
    main()
