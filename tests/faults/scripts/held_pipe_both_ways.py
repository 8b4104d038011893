"""Parent and child each write to a pipe that the other does not read."""

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


CHILD = "import sys; sys.stdout.buffer.write(b'x' * 1_000_000); sys.stdin.buffer.read()"


def main() -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    tell(os.getpid())
    child.stdin.write(b"y" * 1_000_000)  # culprit


if __name__ == "__main__":
    main()
