"""`laststep status`: the live runs, from the watch's live rows; with no watch, from one reading of the sources."""

from __future__ import annotations

import argparse
import time
from typing import Any

from monitor.commands.attaching import add_attach_arguments, add_json_argument, print_json, say
from monitor.model.errors import ExitCode
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.json_form import from_json
from monitor.model.run import RunState
from monitor.model.snapshot import RunPosition

FRESH_SECONDS = 15.0
"""A live row older than this has no watch behind it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `status`."""
    add_attach_arguments(parser)
    add_json_argument(parser)
    parser.add_argument(
        "--watched",
        action="store_true",
        help="only what a watch wrote: without one nothing is read (exit code 3)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit 11 for a proved hang, 10 for a stall, 3 where nothing is live."""
    rows = fresh_rows()
    if not rows and arguments.watched:
        if arguments.json:
            show([], as_json=True)
        return int(ExitCode.NOTHING_TO_ATTACH)
    if not rows:
        from monitor import settings

        return status_now(arguments, settings.load())
    from monitor.engine.position import position_of

    readings = []
    for row in rows:
        state = from_json(RunState, row["run"])
        position = position_of(state, row.get("phase_limits", {}).get(state.phase or ""))
        readings.append((position, from_json(Verdict, row["verdict"]), row.get("bundle")))
    return show(readings, as_json=arguments.json)


def fresh_rows() -> list[dict[str, Any]]:
    """Live rows a watch wrote a moment ago, newest run first."""
    from monitor.ledger.store import Ledger
    from monitor.paths import ledger_path

    if not ledger_path().exists():
        return []
    with Ledger.open(read_only=True) as ledger:
        rows = ledger.live_rows()
    now = time.time()
    fresh = [row for row in rows if now - row["at"] < FRESH_SECONDS]
    return sorted(fresh, key=lambda row: -row["run"]["started_at"])


def status_now(arguments: argparse.Namespace, loaded: Any) -> int:
    """One reading without a watch: facts and one snapshot, so a hang can be suspected but not proved."""
    from monitor.engine.once import read_once
    from monitor.watch.attach import attach

    attached = attach(loaded, arguments.ray, arguments.run_directory, arguments.log)
    reading = read_once(attached, loaded, snapshots=0)
    if not arguments.json:
        say("no watch runs; this is one reading. `laststep watch` follows the run, `laststep dump` proves a hang now")
    return show([(reading.position, reading.verdict, None)], as_json=arguments.json)


def show(readings: list[tuple[RunPosition, Verdict, str | None]], *, as_json: bool) -> int:
    """Print the readings; the exit code of the worst."""
    from monitor.report.text import verdict_text
    from monitor.report.verdict_json import SCHEMA, exit_code, verdict_document

    if as_json:
        print_json({"schema": SCHEMA, "runs": [verdict_document(*reading) for reading in readings]})
    else:
        for reading in readings:
            print(verdict_text(*reading))
    words = [verdict.word for _, verdict, _ in readings]
    if VerdictWord.HANG in words:
        return int(ExitCode.HANG)
    return max((int(exit_code(verdict)) for _, verdict, _ in readings), default=int(ExitCode.OK))
