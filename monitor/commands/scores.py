"""`laststep scores [RUN…]`: every score with provenance and standing, and why a run's final score doesn't stand."""

from __future__ import annotations

import argparse

from monitor.commands.attaching import add_json_argument, print_json
from monitor.model.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `scores`."""
    parser.add_argument("run", nargs="*", metavar="RUN", help="run names or prefixes (default: all)")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 12 where a named run's final score doesn't stand."""
    from monitor.ledger.store import Ledger
    from monitor.report.scores import scores_document, scores_text

    with Ledger.open(read_only=True) as ledger:
        names = [ledger.run(prefix).name for prefix in arguments.run] or [summary.name for summary in ledger.runs()]
        rows = [(ledger.run(name), ledger.scores(name)) for name in names]
    document = scores_document(rows)
    if arguments.json:
        print_json(document)
    else:
        print(scores_text(document))
    stands = all(entry["final_stands"] for entry in document["runs"])
    return int(ExitCode.OK if stands or not arguments.run else ExitCode.SCORES_DO_NOT_STAND)
