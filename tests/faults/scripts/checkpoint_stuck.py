"""A checkpoint that goes to a FIFO nobody reads."""

from __future__ import annotations

import os
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def save_checkpoint(path: str) -> None:
    os.mkfifo(path)
    tell(os.getpid())
    with open(path, "wb"):  # culprit
        pass


def main() -> None:
    save_checkpoint(sys.argv[1] + ".pt")


if __name__ == "__main__":
    main()
