"""`laststep serve`: the dashboard in a browser, through textual-serve; loopback only unless told, behind a token."""

from __future__ import annotations

import argparse
import ipaddress
import os
import secrets
import shlex
import socket
import sys

from monitor.commands.attaching import say
from monitor.model.errors import LaststepError

PORT = 8631
TOKEN_VARIABLE = "LASTSTEP_SERVE_TOKEN"
LEAST_TOKEN = 16


class NotInstalled(LaststepError):
    """textual-serve is an extra."""

    HELP_TEXT = "install it beside laststep: pip install 'laststep[serve]' (or textual-serve)"


class CantServe(LaststepError):
    """The address or the token is off."""

    HELP_TEXT = "choose another with --host and --port"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `serve`."""
    parser.add_argument("served_run", nargs="?", metavar="RUN", help="this run (default: the newest)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine)")
    parser.add_argument("--port", type=int, default=PORT, help=f"port to listen on (default {PORT})")
    parser.add_argument("--allow-actions", action="store_true", help="with the keys that act (default: read-only)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    try:
        import textual_serve  # noqa: F401
    except ImportError as error:
        raise NotInstalled("`laststep serve` needs the package textual-serve, which is not installed") from error
    token = chosen_token()
    check_free(arguments.host, arguments.port)
    run_name = _known(arguments.served_run) if arguments.served_run else None
    if not is_loopback(arguments.host):
        say(
            f"laststep: {arguments.host} can be reached over the network, unencrypted: whoever has the token sees the "
            "run. Safer: leave --host out, and `ssh -L 8631:127.0.0.1:8631 HOST`"
        )
    from monitor.tui.web_server import DashboardServer

    shown = "127.0.0.1" if arguments.host in ("0.0.0.0", "::") else arguments.host
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{arguments.port}/?token={token}"
    command = tab_command(run_name, read_only=not arguments.allow_actions)
    server = DashboardServer(command, arguments.host, arguments.port, token, lambda: print(address, flush=True))
    server.serve()
    return server.exit_code


def tab_command(run_name: str | None, *, read_only: bool) -> str:
    """The shell line that textual-serve runs for each browser tab."""
    words = [sys.executable, "-m", "monitor.tui.browser"]
    words += ["--run", run_name] if run_name else []
    words += ["--read-only"] if read_only else []
    return f"exec {shlex.join(words)}"


def chosen_token() -> str:
    """The token of the environment, or a new one. Raises `CantServe` where the former is too easily guessed."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and (len(token) < LEAST_TOKEN or not token.isascii() or not token.replace("-", "").isalnum()):
        raise CantServe(
            f"the token in {TOKEN_VARIABLE} must be at least {LEAST_TOKEN} letters, digits and hyphens",
            "leave it out: a new one is made, and printed",
        )
    return token or secrets.token_hex(16)


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_free(host: str, port: int) -> None:
    """Raises `CantServe` where nothing can listen there."""
    if not 0 < port < 65536:
        raise CantServe(f"can't listen on port {port}: ports are 1 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        raise CantServe(f"can't listen on {host} port {port}: {error.strerror}") from error


def _known(prefix: str) -> str:
    from monitor.ledger.store import Ledger

    with Ledger.open(read_only=True) as ledger:
        return ledger.run(prefix).name
