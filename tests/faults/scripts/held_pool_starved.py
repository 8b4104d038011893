"""A pool's only thread waits for a call that is queued behind it."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


POOL = ThreadPoolExecutor(max_workers=1)


def inner_name() -> int:
    return 1


def outer_name() -> int:
    waiting = [POOL.submit(inner_name)]
    return len(wait(waiting).done)  # culprit


def main() -> None:
    outer = POOL.submit(outer_name)
    tell(os.getpid())
    outer.result()


if __name__ == "__main__":
    main()
