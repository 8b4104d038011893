"""C code sleeps with the GIL held."""

from __future__ import annotations

import ctypes
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


def tick_name() -> None:
    while True:
        time.sleep(0.05)


def main() -> None:
    threading.Thread(target=tick_name, daemon=True).start()
    tell(os.getpid())
    ctypes.PyDLL(None).sleep(3600)  # culprit


if __name__ == "__main__":
    main()
