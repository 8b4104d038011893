"""One party of a barrier died before it came."""

from __future__ import annotations

import os
import sys
import threading


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


BARRIER = threading.Barrier(3)


def meet_name() -> None:
    BARRIER.wait()  # culprit


def fail_name() -> None:
    raise SystemExit


def main() -> None:
    for target in (meet_name, fail_name):
        threading.Thread(target=target, daemon=True).start()
    tell(os.getpid())
    BARRIER.wait()  # culprit


if __name__ == "__main__":
    main()
