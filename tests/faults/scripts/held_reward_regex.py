"""A reward's regular expression backtracks for years."""

from __future__ import annotations

import os
import re
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def compute_score(answer: str) -> float:
    tell(os.getpid())
    return float(re.match(r"(a+)+$", answer) is not None)  # culprit


def main() -> None:
    compute_score("a" * 64 + "name")


if __name__ == "__main__":
    main()
