"""Healthy: a child waits in a full pipe for a parent that reads in pauses."""

from __future__ import annotations

import os
import subprocess
import sys
import time


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def main() -> None:
    child = subprocess.Popen([sys.executable, "-c", "print('x' * 100_000_000)"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    tell(os.getpid())
    while child.stdout.read(1000):
        time.sleep(0.5)


if __name__ == "__main__":
    main()
