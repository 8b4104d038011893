"""A web server of the test's own that answers as Ray's dashboard might: well, badly, slowly, or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from monitor.sources.ray_discovery import RayCluster

Answer = Callable[[BaseHTTPRequestHandler], None]


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    """A plain answer."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def listing(rows: list[Any], **more: Any) -> bytes:
    """The State API's envelope around records."""
    result = {"total": len(rows), "num_after_truncation": len(rows), "num_filtered": len(rows), "result": rows, **more}
    return json.dumps({"result": True, "msg": "", "data": {"result": result}}).encode()


@contextmanager
def dashboard(answer: Answer, token: str | None = "t") -> Iterator[RayCluster]:
    """A cluster whose HTTP API is `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield RayCluster("127.0.0.1:6379", f"http://127.0.0.1:{server.server_port}", None, token, token_from="the test")
    finally:
        server.shutdown()
        server.server_close()
