"""The command `laststep`: its words, its help, its exit codes. Imports nothing heavy; each call lives in `commands/`.

Data goes to stdout, talk to stderr. Every error a person can mend is one sentence with its cure.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from monitor import __version__
from monitor.model.errors import ExitCode, LaststepError

CALLS = {
    "watch": "the headless watchdog: follows the live run until it ends",
    "status": "what the ledger and the sources know of the live runs, now",
    "dump": "snapshot, wait-for graph and findings, now; writes a bundle and names it",
    "replay": "the same verdict again from a bundle, offline",
    "scores": "scores with provenance and standing",
    "check": "what will go wrong with a training, before its first step",
    "run": "start a training command with the hooks in and a watch on it",
    "audit": "past experiments from logs, scripts, dumps and git history: which scores are true",
    "rerun": "fill a missing final score from a checkpoint: plan, preflight, launch",
    "stop": "end a hung run: what it holds, the bundle, typed words, then only its processes",
    "rescue": "ask a hung run's idle workers to save weights that are not on disk",
    "demo": "the built-in GRPO run, live, with hangs to order",
    "serve": "the dashboard in a browser, behind a token",
    "config": "every setting, its value and where it comes from",
    "completion": "completion for bash, zsh or fish",
    "doctor": "what can be seen from here, what can't, and what would change that",
}
"""The calls, each a module of `monitor.commands` with `add_arguments(parser)` and `run(arguments) -> int`."""

SET_VARIABLE = "LASTSTEP_SET"
"""Carries the values of `--set`, one a line; read by `monitor.settings`."""

EXIT_CODES = """exit codes: 0 fine, 1 internal error, 2 usage, 3 nothing to attach to, 10 stall, 11 hang,
12 scores that don't stand, 13 refused by preflight, 129/130/143 signals"""


def parser_for(names: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the modules of `names` are imported, so that `--help` and each call start at once."""
    parser = argparse.ArgumentParser(
        prog="laststep",
        description="See a run through its last step. With no call: the dashboard of the live run on this machine.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"laststep {__version__}")
    parser.add_argument("--read-only", action="store_true", help="dashboard without the keys that act")
    parser.add_argument(
        "--theme", metavar="NAME", help="its colours: auto, dark, light, colour-blind, ansi, none (NO_COLOR: none)"
    )
    parser.add_argument(
        "--run", dest="known_run", metavar="RUN", help="dashboard of this run, live or in the ledger (name or prefix)"
    )
    parser.add_argument(
        "--set",
        dest="set_values",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting for this call (`laststep config` lists them); may be repeated",
    )
    calls = parser.add_subparsers(dest="call", metavar="CALL")
    for name, summary in CALLS.items():
        call = calls.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name in names:
            importlib.import_module(f"monitor.commands.{name}").add_arguments(call)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run one call and return its exit code."""
    words = sys.argv[1:] if words is None else list(words)
    wanted = next((word for word in words if word in CALLS), None)
    arguments = parser_for([wanted] if wanted else []).parse_args(words)
    module = importlib.import_module(f"monitor.commands.{arguments.call or 'dashboard'}")
    if arguments.call == "completion":
        arguments.whole_parser = parser_for(list(CALLS))
    if arguments.set_values:
        # By the environment, so that a watch which this call starts has it too.
        os.environ[SET_VARIABLE] = "\n".join(arguments.set_values)
    try:
        return int(module.run(arguments))
    except LaststepError as error:
        print(f"laststep: {error}", file=sys.stderr)
        if error.HELP_TEXT:
            print(f"          {error.HELP_TEXT}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
