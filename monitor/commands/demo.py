"""`laststep demo`: the built-in GRPO run, live: the dashboard in a terminal, a readable story without one."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.commands.attaching import add_json_argument, print_json, say
from monitor.model.errors import ExitCode, LaststepError

if TYPE_CHECKING:
    from monitor.commands.demo_story import DemoRequest

HANGS = ("control-queue", "self-get", "loop-blocked", "lost-wakeup", "engine-stopped", "slow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `demo`."""
    parser.add_argument("--hang", choices=HANGS, help="order a real hang in the final validation (`slow` is none)")
    parser.add_argument("--headless", action="store_true", help="no dashboard: a story on stderr, the JSON on stdout")
    add_json_argument(parser)
    parser.add_argument(
        "--steps", type=int, default=29, help="training steps (default 29; validations at 0, 20 and the last)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the run (default 1)")
    parser.add_argument(
        "--order",
        choices=("save-first", "validate-first"),
        default="save-first",
        help="last checkpoint before or after the final validation",
    )
    parser.add_argument("--no-hooks", action="store_true", help="nothing of laststep inside the training processes")
    parser.add_argument(
        "--no-watch", action="store_true", help="only the run, unwatched, to its end (to measure what watching costs)"
    )
    parser.add_argument(
        "--chatter", action="store_true", help="during the hang: a repeated log line, a redrawn bar, a heartbeat"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the demo's Ray and a hung run as they are at the end"
    )
    parser.add_argument("--out", type=Path, help="the run's folder (default: in the state directory)")


def run(arguments: argparse.Namespace) -> int:
    """Exit 11 for a proved hang, 0 for a healthy end."""
    if importlib.util.find_spec("torch") is None:
        raise LaststepError("the demo trains a tiny model and needs torch", "pip install 'laststep[quant]'")
    if arguments.steps < 1:
        raise LaststepError("--steps must be at least 1")
    from monitor.commands.demo_story import DemoRequest, run_headless, run_unwatched

    request = DemoRequest(
        hang=arguments.hang,
        steps=arguments.steps,
        seed=arguments.seed,
        order=arguments.order,
        hooks=not arguments.no_hooks,
        chatter=arguments.chatter,
        keep=arguments.keep,
        out=arguments.out,
    )
    if arguments.no_watch:
        return run_unwatched(request, say)
    if arguments.headless or arguments.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        code, document = run_headless(request, say)
        print_json(document)
        return code
    return _with_dashboard(request, read_only=arguments.read_only)


def _with_dashboard(request: DemoRequest, *, read_only: bool) -> int:
    from monitor.commands.dashboard import open_dashboard
    from monitor.commands.demo_story import start_watched

    say("laststep: starting Ray and the demo run (about 10 s) …")
    with start_watched(request, say) as live:
        open_dashboard(live.run_name, read_only=read_only)
    say(f"laststep: the demo's files are in {live.out}")
    return int(ExitCode.OK)
