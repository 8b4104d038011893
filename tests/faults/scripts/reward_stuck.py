"""A reward function that never returns."""

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


def compute_score(answer: str) -> float:
    server = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(server.getsockname()) as connection:
        tell(os.getpid())
        return float(connection.recv(8))  # culprit


def main() -> None:
    compute_score("name")


if __name__ == "__main__":
    main()
