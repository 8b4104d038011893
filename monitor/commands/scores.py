"""`laststep scores [RUN…]`: every score with provenance and standing, and which comparisons between them hold."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.commands.attaching import add_json_argument, print_json, say
from monitor.model.errors import ExitCode

if TYPE_CHECKING:
    from monitor.model.audit import Comparison
    from monitor.model.run import RunState
    from monitor.model.score import Score

NEWEST = 200
"""So many runs are told where none is named."""
MOST_PAIRED = 8
"""Of so many named runs each pair is compared, sample by sample where their dumps are there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `scores`."""
    parser.add_argument("run", nargs="*", metavar="RUN", help="run names or prefixes (default: the newest runs)")
    parser.add_argument(
        "--last", type=_count, default=NEWEST, metavar="N", help=f"without RUN: the newest N (default {NEWEST}; 0: all)"
    )
    parser.add_argument("--history", action="store_true", help="every record ever kept, with what corrected what")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 12 where a named run's final score doesn't stand."""
    from monitor.ledger.store import Ledger
    from monitor.report.score_history import history_document, history_lines
    from monitor.report.scores import scores_document, scores_text

    with Ledger.open(read_only=True) as ledger:
        names = [ledger.run(prefix).name for prefix in arguments.run]
        if not names:
            names = [summary.name for summary in ledger.runs(limit=arguments.last or None)]
            older = bool(arguments.last) and bool(ledger.runs(limit=1, offset=arguments.last))
            if older:
                say(f"laststep: the newest {arguments.last} runs; --last 0 tells all")
        rows = ledger.runs_with_scores(names)
        history = [score for name in names for score in ledger.score_history(name)] if arguments.history else []
    comparisons = _comparisons(rows, named=bool(arguments.run))
    document = scores_document(rows, comparisons)
    if arguments.history:
        document["history"] = history_document(history)
    if arguments.json:
        print_json(document)
    elif arguments.history:
        print("\n".join(history_lines(history)) or "no score in the ledger yet")
    else:
        print(scores_text(document, comparisons))
    stands = all(entry["final_stands"] for entry in document["runs"])
    return int(ExitCode.OK if stands or not arguments.run else ExitCode.SCORES_DO_NOT_STAND)


def _count(word: str) -> int:
    if not word.isdigit():
        raise argparse.ArgumentTypeError(f"{word!r} is no number of runs; give 0 or more")
    return int(word)


def _comparisons(rows: Sequence[tuple[RunState, Sequence[Score]]], *, named: bool) -> tuple[Comparison, ...]:
    """Every pair of a few named runs; of more, each against the best of its kind."""
    from monitor.ledger.comparisons import all_comparisons, of_score, reported_comparisons, reported_of
    from monitor.sources.dump_samples import read_samples

    each = named and len(rows) <= MOST_PAIRED
    items = []
    for state, scores in rows:
        for score in reported_of(scores):
            path = score.provenance.dump_path
            items.append(of_score(state, score, read_samples(path) if each and path else None))
    return all_comparisons(items) if each else reported_comparisons(items)
