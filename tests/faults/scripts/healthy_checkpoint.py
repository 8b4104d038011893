"""Healthy: a big checkpoint that grows."""

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


def save_checkpoint(path: str) -> None:
    with open(path, "wb") as file:
        while True:
            file.write(b"x" * 100_000)
            file.flush()
            time.sleep(0.1)
            file.seek(0)


def main() -> None:
    tell(os.getpid())
    save_checkpoint(sys.argv[1] + ".pt")


if __name__ == "__main__":
    main()
