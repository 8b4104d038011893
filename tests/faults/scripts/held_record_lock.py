"""A POSIX record lock that a sleeping child holds."""

from __future__ import annotations

import fcntl
import os
import pathlib
import sys
import time


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def hold_name(path: str) -> None:
    with open(path, "a") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        pathlib.Path(path + ".held").touch()
        time.sleep(3600)


def main() -> None:
    path = sys.argv[1] + ".lock"
    if os.fork() == 0:
        hold_name(path)
    while not os.path.exists(path + ".held"):
        time.sleep(0.02)
    tell(os.getpid())
    with open(path, "a") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)  # culprit


if __name__ == "__main__":
    main()
