"""`laststep dump [RUN]`: two snapshots, the wait-for graph and findings, now; writes a bundle and names it."""

from __future__ import annotations

import argparse
import time

from monitor.commands.attaching import add_attach_arguments, add_json_argument, print_json
from monitor.model.reading import SourceError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `dump`."""
    parser.add_argument("run", nargs="?", help="the live run's name or a prefix; with one live run it is not needed")
    add_attach_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 11 for a proved hang. Reads only; needs no watch and no ledger."""
    from monitor import settings
    from monitor.diagnose import bundle as bundles
    from monitor.engine.once import read_once
    from monitor.paths import bundles_directory
    from monitor.report.text import verdict_text
    from monitor.report.verdict_json import exit_code, verdict_document
    from monitor.watch.attach import attach

    loaded = settings.load()
    attached = attach(loaded, arguments.ray, arguments.run_directory, arguments.log)
    if arguments.run and not attached.location.name.startswith(arguments.run):
        raise SourceError(f"the live run is {attached.location.name}, not {arguments.run}")
    reading = read_once(attached, loaded, snapshots=2, sleep=time.sleep)
    log = reading.state.config.console_log
    path = bundles.write(
        bundles_directory(), reading.state, reading.snapshots, reading.verdict, log_paths=[log] if log else []
    )
    if arguments.json:
        print_json(verdict_document(reading.position, reading.verdict, str(path)))
    else:
        print(verdict_text(reading.position, reading.verdict, str(path)))
    return int(exit_code(reading.verdict))
