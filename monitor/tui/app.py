"""The way into the dashboard: say that it opens, read the ledger while textual is imported, return an exit code.

Imports nothing heavy at module level, so that the first line is on the screen within the time of a Python start.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.sources.other_hosts import OtherHosts


def run(ledger_path: Path | str | None, run: str | None, *, read_only: bool = False, theme: str | None = None) -> int:
    """Show the dashboard of `run` (None: the newest live one) until a key, a signal or a lost terminal ends it.

    `theme`: a name of `theme.THEMES`, None for the one in the settings. NO_COLOR in the environment holds over `auto`.
    """
    sys.stderr.write(f"laststep: opening the dashboard of {run or 'the newest run'} …\n")
    sys.stderr.flush()
    from monitor.tui.feed import Feed
    from monitor.tui.ledger_reader import ledger_opener
    from monitor.tui.rerun_door import LedgerReruns

    opener = ledger_opener(ledger_path)
    others = _other_hosts()
    if others is not None:
        from monitor.tui.with_hosts import with_hosts

        others.start()
        opener = with_hosts(opener, lambda: others.latest)
    feed = Feed(opener, run)
    feed.start()
    from monitor.tui.dashboard import Dashboard
    from monitor.tui.stop_door import CommandStops
    from monitor.tui.theme import chosen

    palette = chosen(theme or _settled_theme(), no_color=bool(os.environ.get("NO_COLOR")))

    reruns = LedgerReruns(Path(ledger_path) if ledger_path is not None else None)
    try:
        return Dashboard(feed, reruns, CommandStops(), read_only=read_only, palette=palette).show()
    finally:
        if others is not None:
            others.stop()


def _other_hosts() -> OtherHosts | None:
    """What asks the machines that the settings name; None where they name none."""
    from monitor.settings import host_names, load, user_config_path, variable_of

    if not (user_config_path().exists() or os.environ.get(variable_of("hosts"))):
        return None
    settings = load()
    if not settings.hosts:
        return None
    from monitor.sources.other_hosts import OtherHosts

    return OtherHosts(host_names(settings.hosts, "hosts"), settings.hosts_seconds, settings.hosts_deadline_seconds)


def _settled_theme() -> str:
    """The theme of the user's settings, read only where there are any: YAML costs a tenth of a second."""
    from monitor import settings

    return settings.load().theme if settings.user_config_path().exists() else settings.AUTO_THEME
