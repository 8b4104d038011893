"""The dashboard in a browser, by textual-serve: every page, file and socket behind a token.

Covers the token (in the address once, then a cookie that scripts can't read), requests from other sites (Origin), and
headers that keep the page from loading anything of anybody else's. Does not encrypt: on another address than loopback
what is seen travels in the clear, which `laststep serve` says.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""textual-serve's page carries its script and its style inline, and asks a font host for a font: refused."""

REFUSED = "laststep: open the address that `laststep serve` printed; it carries the token\n"


class DashboardServer(Server):
    """textual-serve behind a token."""

    def __init__(self, command: str, host: str, port: int, token: str, ready: Callable[[], None]) -> None:
        super().__init__(command, host=host, port=port, title="laststep")
        self._token = token
        self._ready = ready
        self.exit_code = 0
        self._cookie = f"laststep-{port}"

    def initialize_logging(self) -> None:
        """Only what went wrong, on stderr."""
        logging.basicConfig(level="WARNING", format="laststep: %(message)s")

    def serve(self, debug: bool = False) -> None:
        """Serve until a signal ends it; `ready` is called once the port listens, which `on_startup` comes before."""
        self.debug = debug
        self.initialize_logging()
        web.run_app(
            self._make_app(),
            host=self.host,
            port=self.port,
            handle_signals=False,
            print=lambda *_: self._ready(),
        )

    async def on_startup(self, app: web.Application) -> None:
        """Take the signals over."""
        del app
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._end, 128 + number)

    def _end(self, code: int) -> None:
        self.exit_code = code
        self.request_exit()

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard())
        return app

    async def handle_index(self, request: web.Request) -> Any:
        """The page, with the addresses by which the browser came: a forwarded port has another number than ours."""
        self.public_url = f"{request.scheme}://{request.host}"
        return await super().handle_index(request)

    def _guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            given = request.query.get("token")
            if request.path == "/" and given is not None and self._is_token(given):
                return self._welcome(request)
            if not self._is_token(request.cookies.get(self._cookie, "")) or not same_site(request):
                return web.Response(status=403, text=REFUSED, headers={"Cache-Control": "no-store"})
            response = await handler(request)
            if not response.prepared:
                response.headers["Content-Security-Policy"] = POLICY
                response.headers["Referrer-Policy"] = "no-referrer"
                response.headers["X-Content-Type-Options"] = "nosniff"
            return response

        return guard

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    def _welcome(self, request: web.Request) -> web.Response:
        """Move the token from the address, which browsers remember and show, into a cookie."""
        rest = {name: value for name, value in request.query.items() if name != "token"}
        response = web.Response(status=303, headers={"Location": str(request.rel_url.with_query(rest))})
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict", path="/")
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def same_site(request: web.Request) -> bool:
    """True unless a page of another site made the request: browsers name it as the Origin of every websocket."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host
