"""`laststep dump [RUN]`: two snapshots, the wait-for graph and findings, now; writes a bundle and names it."""

from __future__ import annotations

import argparse

from monitor.commands.attaching import add_attach_arguments, add_json_argument, print_json
from monitor.commands.live_run import read_live, write_bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `dump`."""
    parser.add_argument("run", nargs="?", help="the live run's name or a prefix; with one live run it is not needed")
    add_attach_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 11 for a proved hang. Reads only; needs no watch and no ledger."""
    from monitor.report.text import verdict_text
    from monitor.report.verdict_json import exit_code, verdict_document

    _, reading = read_live(arguments)
    path = write_bundle(reading)
    if arguments.json:
        print_json(verdict_document(reading.position, reading.verdict, str(path)))
    else:
        print(verdict_text(reading.position, reading.verdict, str(path)))
    return int(exit_code(reading.verdict))
