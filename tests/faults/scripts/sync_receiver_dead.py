"""The receiver of a weight sync lives, its receiving thread is gone."""

from __future__ import annotations

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


def receive_name(connection: socket.socket) -> None:
    connection.recv(1)
    raise SystemExit


def send_weights(connection: socket.socket) -> None:
    connection.sendall(b"weights")
    tell(os.getpid())
    connection.recv(1)  # culprit


def main() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(server.getsockname()) as connection:
        accepted = server.accept()[0]
        threading.Thread(target=receive_name, args=[accepted], daemon=True).start()
        send_weights(connection)


if __name__ == "__main__":
    main()
