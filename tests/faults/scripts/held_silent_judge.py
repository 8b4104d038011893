"""A reward over HTTP from a service that accepts and never answers."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import threading


def tell(pid: int) -> None:
    """Name the culprit; the fault is in place a moment later."""
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(sys.argv[1] + ".new", sys.argv[1])


# seed: padding


server = socket.create_server(("127.0.0.1", 0))


def accept_name() -> None:
    kept = [server.accept()]
    kept.append(server.accept())


def ask_judge_name(answer: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", server.getsockname()[1])
    connection.request("POST", "/score", answer)
    return float(connection.getresponse().read())  # culprit


def main() -> None:
    threading.Thread(target=accept_name, daemon=True).start()
    tell(os.getpid())
    ask_judge_name("42")


if __name__ == "__main__":
    main()
