"""A forgotten breakpoint()."""

from __future__ import annotations

import os
import pdb
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def main() -> None:
    read_end, _ = os.pipe()
    prompt = pdb.Pdb(stdin=os.fdopen(read_end), stdout=sys.stderr)
    tell(os.getpid())
    prompt.set_trace()
    print("name")  # culprit


if __name__ == "__main__":
    main()
