"""Healthy: a child that compiles for long."""

from __future__ import annotations

import os
import subprocess
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def main() -> None:
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    tell(os.getpid())
    child.wait()


if __name__ == "__main__":
    main()
