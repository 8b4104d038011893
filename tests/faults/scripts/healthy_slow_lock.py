"""Healthy: a lock whose holder works."""

from __future__ import annotations

import os
import sys
import threading
import time


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


GUARD = threading.Lock()


def hold_name() -> None:
    with GUARD:
        time.sleep(3600)


def main() -> None:
    threading.Thread(target=hold_name, daemon=True).start()
    time.sleep(0.2)
    tell(os.getpid())
    GUARD.acquire()


if __name__ == "__main__":
    main()
