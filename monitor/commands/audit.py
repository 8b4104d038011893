"""`laststep audit PATH…`: past experiments from their logs, scripts, configurations, dumps and git history."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

from monitor.commands.attaching import add_json_argument, print_json, say
from monitor.model.audit import Audit
from monitor.model.errors import ExitCode, LaststepError


class BadDate(LaststepError):
    """`--since` is no date."""

    HELP_TEXT = "give a day or a moment with its zone: `--since 2026-01-16` (UTC) or `--since 2026-01-16T03:33+08:00`"


class WriteWhat(LaststepError):
    """`--write` has nothing to write."""

    HELP_TEXT = "look at the diff first: `--fix-summary FILE`, then again with `--write`"


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
    parser.add_argument("--markdown", action="store_true", help="a full impact analysis as Markdown on stdout")
    parser.add_argument(
        "--fix-summary",
        type=Path,
        metavar="FILE",
        help="a results document in which each number says its step and standing, as a diff on stdout",
    )
    parser.add_argument("--write", action="store_true", help="with --fix-summary: rewrite the file too")
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
    if arguments.write and arguments.fix_summary is None:
        raise WriteWhat("`--write` without `--fix-summary FILE`")
    if arguments.fix_summary is not None:
        _print_fix(arguments.fix_summary, found, arguments)
    else:
        _print(found, arguments)
    stands = all(entry.final_stands or entry.superseded or entry.filled_by for entry in found.runs)
    return int(ExitCode.OK if stands or not arguments.check else ExitCode.SCORES_DO_NOT_STAND)


def _print(found: Audit, arguments: argparse.Namespace) -> None:
    from monitor.audit.cost import guesses

    guessed = guesses(found.runs) if arguments.guess else ()
    if guessed and not arguments.json:
        for guess in guessed:
            say(f"a guess, no score: {guess.run} step {guess.final_step}: {guess.value:.4f} ({guess.basis})")
    if arguments.json:
        from monitor.report.audit_json import audit_document, document_text

        print(document_text(audit_document(found, guessed)), flush=True)
    elif arguments.markdown:
        from monitor.report.audit_markdown import audit_markdown

        print(audit_markdown(found), end="")
    else:
        from monitor.report.audit_text import audit_text

        print(audit_text(found))


def _print_fix(path: Path, found: Audit, arguments: argparse.Namespace) -> None:
    """The diff on stdout (in JSON, the whole change), what could not be told on stderr."""
    from monitor.audit.summary_fix import fix_summary, read_document, write_document
    from monitor.report.clean_text import clean

    fixed = fix_summary(read_document(path), found.runs, found.comparisons)
    diff = fixed.diff(path.name)
    if arguments.json:
        shown = diff.encode("utf-8", "replace").decode("utf-8")
        doubts = [clean(doubt) for doubt in fixed.doubts]
        print_json({"schema": 1, "file": clean(str(path)), "marked": fixed.marked, "doubts": doubts, "diff": shown})
    elif sys.stdout.isatty():
        print("\n".join(clean(line) for line in diff.splitlines()))
    else:
        # For `patch`: byte for byte, whatever the document holds.
        sys.stdout.flush()
        sys.stdout.buffer.write(diff.encode("utf-8", "surrogateescape"))
    for doubt in fixed.doubts:
        say(f"laststep: {clean(doubt)}")
    if arguments.write:
        write_document(path, fixed)
        say(f"laststep: {clean(str(path))} rewritten, {fixed.marked} numbers marked")


def _moment(text: str) -> float:
    """Seconds since the epoch; a day or a time without a zone is UTC."""
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise BadDate(f"`{text}` is no date") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()
