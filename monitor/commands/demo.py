"""`laststep demo`: the built-in GRPO run, live: the dashboard in a terminal, a readable story without one."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from monitor.commands.attaching import add_json_argument, print_json, say
from monitor.model.errors import LaststepError

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
    _end_on_signals()
    if arguments.no_watch:
        return run_unwatched(request, say)
    if arguments.headless or arguments.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        code, document = run_headless(request, say)
        print_json(document)
        return code
    return _with_dashboard(request, read_only=arguments.read_only)


def _with_dashboard(request: DemoRequest, *, read_only: bool) -> int:
    """The dashboard in a child, so that its end, of whatever kind, leaves us here to end the demo's Ray."""
    from monitor.commands.demo_story import start_watched
    from monitor.paths import state_directory

    say("laststep: starting Ray and the demo run (about 10 s) …")
    with start_watched(request, say) as live:
        words = [sys.executable, "-m", "monitor.cli", "--run", live.run_name, *(["--read-only"] if read_only else [])]
        child = subprocess.Popen(words, cwd=state_directory())
        try:
            code = child.wait()
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    say(f"laststep: the demo's files are in {live.out}")
    return code if code >= 0 else 128 - code


def _end_on_signals() -> None:
    """SIGTERM and SIGHUP end the call as an exception does, so that Ray and the watch it started end with it."""

    def leave(number: int, frame: FrameType | None) -> None:
        for other in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
