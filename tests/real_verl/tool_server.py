"""The tool of `gated_agent_loop`: a server on a unix socket that answers nobody until it is told to."""

from __future__ import annotations

import socketserver
import threading
from pathlib import Path


class ToolServer:
    """Takes every question at once; `answer()` lets all answers out, also later ones."""

    def __init__(self, path: Path) -> None:
        self._may_answer = threading.Event()
        may_answer = self._may_answer

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.rfile.readline()
                may_answer.wait()
                self.wfile.write(b"2\n")

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            # All samples of a step call at once; a full queue refuses on unix sockets.
            request_queue_size = 64

        self._server = Server(str(path), Handler)
        threading.Thread(target=self._server.serve_forever, name="tool", daemon=True).start()

    def answer(self) -> None:
        """Let the answers out."""
        self._may_answer.set()

    def close(self) -> None:
        """End it."""
        self.answer()
        self._server.shutdown()
        self._server.server_close()
