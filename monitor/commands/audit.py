"""`laststep audit PATH…`: past experiments from their logs, scripts, configurations, dumps and git history."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from monitor.commands.attaching import add_json_argument, print_json, say
from monitor.model.audit import Audit
from monitor.model.errors import ExitCode, LaststepError


class BadDate(LaststepError):
    """`--since` is no date."""

    HELP_TEXT = "give a day or a moment with its zone: `--since 2026-01-16` (UTC) or `--since 2026-01-16T03:33+08:00`"


class NothingToAudit(LaststepError):
    """No file under the paths shows a run."""

    HELP_TEXT = "give the folder of the console logs, or one log by name"
    exit_code = ExitCode.NOTHING_TO_ATTACH


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `audit`."""
    parser.add_argument(
        "path", nargs="+", type=Path, metavar="PATH", help="logs, scripts, dumps, repositories: any mix"
    )
    parser.add_argument(
        "--repo", action="append", type=Path, default=[], metavar="DIR", help="a trainer's git repository (repeatable)"
    )
    parser.add_argument(
        "--suspect", action="append", default=[], metavar="COMMIT", help="a commit to suspect, whatever it does"
    )
    parser.add_argument("--since", metavar="DATE", help="leave out runs that started before")
    parser.add_argument(
        "--zone", metavar="ZONE", help="zone of the logs' times (default: their own, else that of the repository)"
    )
    parser.add_argument("--rules", type=Path, metavar="FILE", help="other patterns and thresholds (YAML)")
    parser.add_argument("--gpus", type=int, metavar="N", help="GPUs of a run, where no configuration tells")
    parser.add_argument("--minutes-per-run", type=float, metavar="M", help="what a run took, where the logs don't tell")
    parser.add_argument(
        "--guess", action="store_true", help="guess missing final scores from the family's gains (marked, never stored)"
    )
    add_json_argument(parser)
    parser.add_argument("--check", action="store_true", help="exit 12 where a run's final score doesn't stand (for CI)")


def run(arguments: argparse.Namespace) -> int:
    """Exit 12 with `--check` where a final score doesn't stand, 3 where no run shows."""
    from monitor.audit.audit import AuditOptions, audit
    from monitor.audit.zones import Zone, parse_zone

    zone = Zone(parse_zone(arguments.zone), f"{arguments.zone} (given)") if arguments.zone else None
    options = AuditOptions(
        paths=tuple(arguments.path),
        repositories=tuple(arguments.repo),
        suspects=tuple(arguments.suspect),
        since=_moment(arguments.since) if arguments.since else None,
        zone=zone,
        minutes_per_run=arguments.minutes_per_run,
        gpus=arguments.gpus,
        rules_file=arguments.rules,
    )
    found = audit(options)
    if not found.runs and not found.scripts and not found.windows:
        for problem in found.problems[:20]:
            say(f"laststep: {problem.file}: {problem.problem}")
        raise NothingToAudit(f"no run shows in {', '.join(str(path) for path in arguments.path)}")
    _print(found, arguments)
    stands = all(entry.final_stands or entry.superseded or entry.filled_by for entry in found.runs)
    return int(ExitCode.OK if stands or not arguments.check else ExitCode.SCORES_DO_NOT_STAND)


def _print(found: Audit, arguments: argparse.Namespace) -> None:
    from monitor.audit.cost import guesses

    guessed = guesses(found.runs) if arguments.guess else ()
    if arguments.json:
        from monitor.report.audit_json import audit_document

        print_json(audit_document(found, guessed))
    else:
        from monitor.report.audit_text import audit_text

        print(audit_text(found))


def _moment(text: str) -> float:
    """Seconds since the epoch; a day or a time without a zone is UTC."""
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise BadDate(f"`{text}` is no date") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()
