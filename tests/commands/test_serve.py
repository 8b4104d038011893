"""The dashboard in a browser: behind its token, read-only, over real HTTP, a real websocket and a real Chromium."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import psutil
import pytest

from monitor.ledger.store import Ledger
from tests.commands.test_cli import laststep
from tests.tui import examples

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """A `laststep serve` of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        state = folder / "laststep"
        state.mkdir(mode=0o700, parents=True)
        with Ledger.open(state / "ledger.sqlite") as ledger:
            ledger.save_run(examples.state())
            ledger.write_live(examples.RUN, examples.document(examples.state(), at=time.time()))
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "monitor.cli", "serve", "--port", str(self.port), *words],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder)},
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().decode().strip()
        self.base = f"http://127.0.0.1:{self.port}"

    def status(self, path: str, **headers: str) -> int:
        try:
            request = urllib.request.Request(self.base + path, headers=headers)
            return int(urllib.request.urlopen(request, timeout=20).status)
        except urllib.error.HTTPError as error:
            return error.code

    def cookie(self) -> str:
        jar = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        with opener.open(self.address, timeout=20) as page:
            assert "token" not in page.url
            self.page = page.read().decode()
            self.policy = page.headers["Content-Security-Policy"]
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)

    def tabs(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(tmp_path)
    yield server
    server.process.kill()
    server.process.wait()


def test_nothing_is_given_without_the_token(served: Served) -> None:
    assert re.fullmatch(rf"{served.base}/\?token=[0-9a-f]{{32}}", served.address)
    for path in ("/", "/?token=wrong", "/static/js/textual.js", "/ws", "/download/x"):
        assert served.status(path) == 403
    assert served.status("/", Cookie=served.cookie()) == 200
    assert served.status("/ws", Cookie=served.cookie(), Origin="http://evil.example") == 403
    assert served.tabs() == []


def test_the_page_comes_from_here_alone_and_works_through_a_forwarded_port(served: Served) -> None:
    cookie = served.cookie()
    assert "default-src 'self'" in served.policy
    request = urllib.request.Request(served.base + "/", headers={"Cookie": cookie, "Host": "localhost:9999"})
    page = urllib.request.urlopen(request, timeout=20).read().decode()
    assert 'data-session-websocket-url="ws://localhost:9999/ws"' in page


async def screen_of(served: Served, wanted: bytes) -> bytes:
    """What the dashboard draws through its websocket until `wanted` stands in it."""
    received = b""
    headers = {"Cookie": served.cookie(), "Origin": served.base}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{served.base}/ws?width=120&height=40") as socket_,
    ):
        deadline = time.monotonic() + 60
        while wanted not in received:
            assert time.monotonic() < deadline, received[-2000:]
            message = await socket_.receive(timeout=60)
            assert message.type is aiohttp.WSMsgType.BINARY, message
            received += message.data
    return received


async def test_the_websocket_draws_the_run_read_only_and_a_closed_tab_leaves_no_process(served: Served) -> None:
    drawn = await screen_of(served, b"read-only")
    assert examples.RUN.encode() in drawn
    deadline = time.monotonic() + 30
    while served.tabs() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert served.tabs() == []


async def test_actions_are_there_only_where_they_were_allowed(tmp_path: Path) -> None:
    server = Served(tmp_path, "--allow-actions")
    try:
        assert b"read-only" not in await screen_of(server, b"quit")
    finally:
        server.process.kill()
        server.process.wait()


async def test_a_killed_server_takes_its_tabs_along(served: Served) -> None:
    async with (
        aiohttp.ClientSession(headers={"Cookie": served.cookie()}) as session,
        session.ws_connect(f"{served.base}/ws") as socket_,
    ):
        await socket_.receive(timeout=60)
        tabs = served.tabs()
        assert tabs
        served.process.send_signal(signal.SIGKILL)
        served.process.wait()
    _, left = psutil.wait_procs(tabs, timeout=30)
    assert left == []


def test_sigterm_ends_it_with_all_it_started(served: Served) -> None:
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=30) == 143


class Browser:
    """A headless Chromium, steered by its DevTools socket (https://chromedevtools.github.io/devtools-protocol)."""

    def __init__(self, profile: Path) -> None:
        self._port_file = profile / "DevToolsActivePort"
        words = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        words += [f"--user-data-dir={profile}", "--window-size=1300,800", "about:blank"]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    async def page(self, session: Any) -> Any:
        """The socket of its one page."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            with contextlib.suppress(OSError, IndexError, aiohttp.ClientError, StopIteration):
                port = self._port_file.read_text().split()[0]
                async with session.get(f"http://127.0.0.1:{port}/json") as listed:
                    target = next(each for each in await listed.json() if each["type"] == "page")
                return await session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
        raise AssertionError("Chromium did not start")


async def devtools(page: Any, method: str, **parameters: object) -> Any:
    await page.send_json({"id": 1, "method": method, "params": parameters})
    while (answer := await page.receive_json(timeout=60)).get("id") != 1:
        pass
    return answer["result"]


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
async def test_chromium_shows_the_dashboard(served: Served, tmp_path: Path) -> None:
    """The page's script marks the body at the first byte that the dashboard drew; the picture then has its colours."""
    browser = Browser(tmp_path / "profile")
    try:
        async with aiohttp.ClientSession() as session, await browser.page(session) as page:
            await devtools(page, "Page.navigate", url=served.address)
            deadline = time.monotonic() + 60
            drawn = False
            while not drawn:
                assert time.monotonic() < deadline, "the dashboard drew nothing"
                await asyncio.sleep(0.5)
                asked = "!!document.body && document.body.classList.contains('-first-byte') && location.search === ''"
                drawn = (await devtools(page, "Runtime.evaluate", expression=asked))["result"].get("value", False)
            await asyncio.sleep(2.0)
            picture = base64.b64decode((await devtools(page, "Page.captureScreenshot"))["data"])
            assert len(served.tabs()) == 1
    finally:
        browser.process.kill()
        browser.process.wait()
    (tmp_path / "dashboard.png").write_bytes(picture)
    assert len(picture) > 30_000, "an empty page compresses to 12 KB, rows of text do not"


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (("--port", "99999"), {}, "port 99999"),
        (("--host", "203.0.113.7"), {}, "can't listen on 203.0.113.7"),
        ((), {"LASTSTEP_SERVE_TOKEN": "short"}, "at least 16"),
        (("no-such-run",), {}, "no-such-run"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    words: tuple[str, ...], environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    shown = laststep("serve", *words, XDG_STATE_HOME=str(tmp_path), **environment)
    assert shown.returncode != 0
    assert said in shown.stderr and "Traceback" not in shown.stderr
