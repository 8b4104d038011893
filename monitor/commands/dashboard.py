"""`laststep` alone: finds the live run, starts a watch if none runs, opens the dashboard."""

from __future__ import annotations

import argparse
import os
import sys
import time

from monitor.commands.attaching import say
from monitor.commands.status import fresh_rows
from monitor.model.errors import ExitCode, LaststepError
from monitor.settings import THEME_NAMES

PATIENCE_SECONDS = 15.0


class NoTerminal(LaststepError):
    """The dashboard needs a terminal."""

    HELP_TEXT = "without one use `laststep watch` (follows the run) or `laststep status --json` (says what is known)"
    exit_code = ExitCode.USAGE


class NoTheme(LaststepError):
    """A theme that there isn't."""

    HELP_TEXT = "themes: " + ", ".join(THEME_NAMES)


def run(arguments: argparse.Namespace) -> int:
    """Open the dashboard on the newest live run; the watch is a process of its own and stays."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NoTerminal("stdin or stdout is no terminal, so there is no dashboard")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise NoTerminal(
            f"this terminal (TERM={os.environ.get('TERM', '')}) can't be drawn on, so there is no dashboard"
        )
    if arguments.theme is not None and arguments.theme not in THEME_NAMES:
        raise NoTheme(f"there is no theme `{arguments.theme}`")
    if arguments.known_run:
        return open_dashboard(_known(arguments.known_run), read_only=arguments.read_only, theme=arguments.theme)
    say("laststep: looking for a live run …")
    rows = fresh_rows()
    if not rows:
        rows = [_start_and_wait()]
    return open_dashboard(rows[0]["run"]["name"], read_only=arguments.read_only, theme=arguments.theme)


def open_dashboard(run: str, *, read_only: bool, theme: str | None = None) -> int:
    """The dashboard on a run that the ledger knows."""
    from monitor.paths import ledger_path
    from monitor.tui.app import run as run_app

    return run_app(ledger_path(), run, read_only=read_only, theme=theme)


def _known(prefix: str) -> str:
    from monitor.ledger.store import Ledger

    with Ledger.open(read_only=True) as ledger:
        return ledger.run(prefix).name


def _start_and_wait() -> dict[str, object]:
    from monitor import settings
    from monitor.watch.attach import attach
    from monitor.watch.start import start_watch

    attached = attach(settings.load(), None, None, None)
    address = attached.cluster.gcs_address
    pid = start_watch([*(("--ray", address) if address else ()), "--quiet"])
    say(f"laststep: started a watch (pid {pid}) on {attached.location.name}")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        rows = fresh_rows()
        if rows:
            return rows[0]
        time.sleep(0.1)
    raise LaststepError(
        "the watch that was started wrote nothing", "see `watch.log` in the state directory (`laststep doctor`)"
    )
