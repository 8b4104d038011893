"""Healthy: two processes, each reads what a slow partner writes."""

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


CHILD = "import time; time.sleep(3600); print('done')"


def main() -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    tell(os.getpid())
    child.communicate(b"y" * 1_000_000)


if __name__ == "__main__":
    main()
