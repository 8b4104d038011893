"""The trainer polls a replay buffer that nobody fills."""

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


def _wait_for_next_poll() -> None:
    time.sleep(0.5)  # culprit


def main() -> None:
    tell(os.getpid())
    while True:
        _wait_for_next_poll()


if __name__ == "__main__":
    main()
