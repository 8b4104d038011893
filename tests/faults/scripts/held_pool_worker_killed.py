"""A process of a multiprocessing.Pool was killed with its task in hand."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def load_name(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def main() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        tell(os.getpid())
        pool.map(load_name, [1])  # culprit


if __name__ == "__main__":
    main()
