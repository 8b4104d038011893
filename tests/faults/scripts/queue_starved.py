"""The producer of a queue died of an error."""

from __future__ import annotations

import os
import queue
import sys
import threading


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


SAMPLES: queue.Queue[int] = queue.Queue()


def produce_name() -> None:
    raise SystemExit


def main() -> None:
    threading.Thread(target=produce_name, daemon=True).start()
    tell(os.getpid())
    SAMPLES.get()  # culprit


if __name__ == "__main__":
    main()
