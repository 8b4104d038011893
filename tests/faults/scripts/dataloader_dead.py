"""A data loader's worker died before it put its batch."""

from __future__ import annotations

import multiprocessing
import os
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def load_name(batches: object) -> None:
    os._exit(1)


def main() -> None:
    context = multiprocessing.get_context("fork")
    batches = context.Queue()
    context.Process(target=load_name, args=[batches]).start()
    tell(os.getpid())
    batches.get()  # culprit


if __name__ == "__main__":
    main()
