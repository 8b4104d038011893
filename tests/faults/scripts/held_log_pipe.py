"""A logger writes to a pipe whose reader was stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def log_name(reader: subprocess.Popen[bytes]) -> None:
    assert reader.stdin is not None
    while True:
        reader.stdin.write(b"metrics" * 1000)  # culprit


def main() -> None:
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    os.kill(reader.pid, signal.SIGSTOP)
    tell(os.getpid())
    log_name(reader)


if __name__ == "__main__":
    main()
