"""A reward function that has a child process simplify an expression, without end or timeout."""

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


def grade_name(text: str) -> bool:
    done = subprocess.run([sys.executable, "-c", "while True: pass"], capture_output=True)  # culprit
    return done.returncode == 0


def compute_score(text: str) -> float:
    return float(grade_name(text))


def main() -> None:
    tell(os.getpid())
    compute_score("1/3")


if __name__ == "__main__":
    main()
