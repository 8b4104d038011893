"""The run's own output goes to a reader that was stopped."""

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


def report_name() -> None:
    while True:
        print("step:1 - reward/mean:0.5 " * 1000)  # culprit


def main() -> None:
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert reader.stdin is not None
    os.kill(reader.pid, signal.SIGSTOP)
    os.dup2(reader.stdin.fileno(), 1)
    tell(os.getpid())
    report_name()


if __name__ == "__main__":
    main()
