"""`laststep check SCRIPT|CONFIG`: what will go wrong with a training, before its first step."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from monitor.commands.attaching import add_json_argument, print_json, say
from monitor.model.errors import ExitCode
from monitor.model.launch import LaunchFinding, LaunchSettings, Weight

SCHEMA = 1
SIGNS = {Weight.WRONG: "x", Weight.RISK: "!", Weight.UNKNOWN: "?"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `check`."""
    parser.add_argument("script", type=Path, metavar="SCRIPT|CONFIG", help="launch script, or resolved configuration")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where it would be started (default: the working folder)"
    )
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 12 where the final score will be missing or wrong, or earlier results are lost; else 0."""
    from monitor.detect.launch_rules import judge_launch
    from monitor.sources.launch_script import read_launch
    from monitor.sources.launch_surroundings import look_around
    from monitor.sources.trainer_profile import match_profile

    settings = read_launch(arguments.script)
    profile = match_profile((), settings.entry)
    folder = (arguments.folder or Path.cwd()).resolve()
    findings = judge_launch(settings, look_around(settings, profile, os.environ, folder))
    if arguments.json:
        print_json(document(settings, profile.name, findings))
    else:
        for line in lines(settings, findings):
            print(line)
        say("intention only: what was executed, `laststep run` and `laststep scores` tell")
    wrong = any(finding.weight is Weight.WRONG for finding in findings)
    return int(ExitCode.SCORES_DO_NOT_STAND if wrong else ExitCode.OK)


def lines(settings: LaunchSettings, findings: tuple[LaunchFinding, ...]) -> list[str]:
    """For a person."""
    from monitor.report.clean_text import clean

    where = f", line {settings.line}" if settings.line else ""
    entry = f" ({settings.entry})" if settings.entry else ""
    said = [f"{clean(settings.source)}{where}{clean(entry)}"]
    for finding in findings:
        said.append(f"  {SIGNS[finding.weight]} {finding.weight.value}: {clean(finding.sentence)}")
        if finding.change:
            said.append(f"      {clean(finding.change)}")
    return said if findings else [*said, "  + nothing that is known to go wrong"]


def document(settings: LaunchSettings, trainer: str, findings: tuple[LaunchFinding, ...]) -> dict[str, Any]:
    """For a script."""
    return {
        "schema": SCHEMA,
        "source": settings.source,
        "line": settings.line,
        "entry": settings.entry or None,
        "trainer": trainer,
        "findings": [
            {
                "rule": finding.rule,
                "weight": finding.weight.value,
                "sentence": finding.sentence,
                "change": finding.change or None,
                "keys": list(finding.keys),
            }
            for finding in findings
        ],
    }
