"""One HTTP GET with a deadline over the whole exchange, also where the server sends a byte at a time.

Looking up a name has no deadline of its own: a caller who can't wait for that asks from a thread.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

USER_AGENT = "laststep"
"""Ray's dashboards up to 2.49 fail with HTTP 500 where a request names no program, and refuse browsers some pages."""


def fetch(url: str, path: str, headers: Mapping[str, str], timeout: float, largest: int) -> tuple[int, bytes]:
    """Status and body of `url` + `path`. `timeout` in seconds, `largest` in bytes. Raises OSError, HTTPException."""
    deadline = time.monotonic() + timeout
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}{path}", headers={"User-Agent": USER_AGENT, **headers})
        response = connection.getresponse()
        chunks: list[bytes] = []
        size = 0
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError(f"no full answer within {timeout:g} s")
            if connection.sock is not None:
                connection.sock.settimeout(remaining)
            chunk = response.read1(1 << 20)
            if not chunk:
                return response.status, b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
            if size > largest:
                raise http.client.HTTPException(f"an answer of more than {largest >> 20} MiB")
    finally:
        connection.close()


def reason(error: Exception) -> str:
    """Why an exchange failed, in words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
