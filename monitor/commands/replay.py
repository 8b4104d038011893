"""`laststep replay BUNDLE…`: the same verdict again, offline; bundles of several nodes are joined."""

from __future__ import annotations

import argparse
from pathlib import Path

from monitor.commands.attaching import add_json_argument, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `replay`."""
    parser.add_argument("bundle", type=Path, nargs="+", metavar="BUNDLE", help="a bundle's folder; one a node")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 11 for a hang, as the live call would."""
    from monitor.diagnose.replay import replay
    from monitor.report.text import verdict_text
    from monitor.report.verdict_json import exit_code, verdict_document

    replayed = replay(arguments.bundle)
    if arguments.json:
        print_json(verdict_document(replayed.position, replayed.verdict, str(arguments.bundle[0])))
    else:
        print(verdict_text(replayed.position, replayed.verdict, str(arguments.bundle[0])))
    return int(exit_code(replayed.verdict))
