"""Healthy: a server waits for its next connection."""

from __future__ import annotations

import os
import socket
import sys


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


def main() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    tell(os.getpid())
    server.accept()


if __name__ == "__main__":
    main()
