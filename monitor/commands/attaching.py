"""The words shared by calls that attach to a live run, and printing one JSON document."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any


def add_attach_arguments(parser: argparse.ArgumentParser) -> None:
    """`--ray`, `--run-directory`, `--log`: which run is meant where this machine has several, and where its log is."""
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="GCS address of the Ray to look at (default: the one found here)"
    )
    parser.add_argument(
        "--run-directory", type=Path, metavar="DIR", help="the run's folder, where its files can't be found"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="the run's console log, where it can't be found")


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, with a schema number")


def print_json(document: Any) -> None:
    """The document on stdout, one."""
    print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)


def say(text: str) -> None:
    """Talk, to stderr; a terminal that is gone hears nothing, and that is no reason to leave work undone."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
