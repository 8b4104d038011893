"""`laststep watch`: the headless watchdog; `--once` takes one reading and ends."""

from __future__ import annotations

import argparse

from monitor.commands.attaching import add_attach_arguments, add_json_argument
from monitor.model.errors import LaststepError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `watch`."""
    add_attach_arguments(parser)
    add_json_argument(parser)
    parser.add_argument("--once", action="store_true", help="one reading, printed; nothing is left running")
    parser.add_argument("--forever", action="store_true", help="wait for a run, watch it, wait for the next")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait so long for a run to appear")
    parser.add_argument("--below", type=int, metavar="PID", help="only a run whose driver descends from this process")
    parser.add_argument("--quiet", action="store_true", help="print nothing while all is well")
    parser.add_argument(
        "--on-finding", metavar="CMD", help="shell command run once per new or withdrawn finding, its JSON on stdin"
    )


def run(arguments: argparse.Namespace) -> int:
    """Watch until the run ends; exit 11 for a proved hang, 10 for a stall."""
    from monitor import settings
    from monitor.ledger.store import Ledger

    loaded = settings.load()
    if arguments.once:
        from monitor.commands.status import status_now

        return status_now(arguments, loaded)
    if arguments.json:
        raise LaststepError("`watch --json` needs `--once`", "use `laststep status --json` beside a running watch")
    from monitor.watch.watch import Watch, WatchOptions

    options = WatchOptions(
        address=arguments.ray,
        run_directory=arguments.run_directory,
        log=arguments.log,
        patience_seconds=arguments.wait,
        forever=arguments.forever,
        quiet=arguments.quiet,
        on_finding=arguments.on_finding,
        below=arguments.below,
    )
    with Ledger.open() as ledger:
        return Watch(options, loaded, ledger).run()
