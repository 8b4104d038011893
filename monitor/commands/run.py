"""`laststep run -- CMD…`: a training command as our descendant, with the hooks in and a watch on it.

The exit code is the command's. Only where it returned 0 and the run's final score doesn't stand is it 12.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import time
from collections.abc import Iterable

from monitor.commands.attaching import say
from monitor.model.errors import ExitCode, LaststepError
from monitor.model.run import RunState
from monitor.model.score import Score, Standing

WATCH_SECONDS = 30.0
"""How long the watch is given, after the command's end, to read what was written last."""
STARTING_SECONDS = 5.0
"""The same where the command started no training that could be watched."""
AGAINST = frozenset({Standing.NOT_QUANTIZED, Standing.STALE_WEIGHTS, Standing.PARTIAL, Standing.NOT_FINAL})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `run`."""
    parser.add_argument("--no-hooks", action="store_true", help="start the command without asking for the hooks")
    parser.add_argument(
        "--readable",
        action="store_true",
        help="where Yama forbids it (ptrace_scope 1): the hooks let this command and what it starts read the memory of "
        "the training's processes, to prove a hang without stopping them. It opens all of that memory, keys and tokens "
        "in it included, to reading and to changing, by these processes only (docs/reader.md)",
    )
    parser.add_argument("--no-watch", action="store_true", help="start no watch: the final score is not judged")
    parser.add_argument("--strict", action="store_true", help="a final score that is not proved doesn't stand either")
    parser.add_argument(
        "--save-first",
        action="store_true",
        help="save the last step before its validation, by the hooks",
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD…", help="the command and its arguments")


def run(arguments: argparse.Namespace) -> int:
    """The command's exit code; 12 where it returned 0 and the final score doesn't stand."""
    from monitor.watch.start import start_watch
    from monitor.watch.supervisor import Supervisor

    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise LaststepError("`run` needs a command", "laststep run -- python3 -m verl.trainer.main_ppo …")
    if arguments.save_first and arguments.no_hooks:
        raise LaststepError("`--save-first` needs the hooks", "leave out `--no-hooks`: they do the saving")
    environment = training_environment(
        dict(os.environ),
        hooks=not arguments.no_hooks,
        readable_by=os.getpid() if arguments.readable else None,
        save_first=arguments.save_first,
    )
    supervisor = Supervisor()
    began = time.time()
    supervisor.start(command, environment)
    watch = None
    if not arguments.no_watch:
        watch = start_watch(["--wait", "inf", "--below", str(os.getpid())], environment)
    code = supervisor.wait()
    if arguments.save_first and not save_first_told(began):
        say("laststep: --save-first: nothing was saved first: no final validation was seen by the hooks")
    if watch is None:
        return code
    states = runs_of(supervisor.seen, began)
    if not supervisor.wait_for(watch, WATCH_SECONDS if states else STARTING_SECONDS):
        os.kill(watch, signal.SIGTERM)
        supervisor.wait_for(watch, WATCH_SECONDS)
    return judged(code, runs_of(supervisor.seen, began), strict=arguments.strict)


def training_environment(
    given: dict[str, str], *, hooks: bool, readable_by: int | None = None, save_first: bool = False
) -> dict[str, str]:
    """The command's environment: where laststep is installed beside the trainer, `LASTSTEP` brings its hooks in.

    Into TRL, which has no plugin entry point, they come by the folder that is added to `PYTHONPATH`, installed or not.
    `readable_by`: whom, with its descendants, the hooks let read the memory of the training's processes.
    """
    from monitor.paths import runtime_directory
    from trainer_hooks import records

    wanted = {
        records.ENABLE_VARIABLE: "1" if hooks else "0",
        records.DIRECTORY_VARIABLE: str(runtime_directory()),
    }
    if readable_by is not None:
        wanted[records.PTRACER_VARIABLE] = str(readable_by)
    wanted[records.SAVE_FIRST_VARIABLE] = "1" if save_first else "0"
    if hooks:
        paths = [path for path in given.get("PYTHONPATH", "").split(os.pathsep) if path]
        wanted["PYTHONPATH"] = os.pathsep.join([*paths, autoload_directory()])
    return {**given, **wanted}


def save_first_told(began: float) -> bool:
    """True where the hooks of a process that began since have told what came of `--save-first`."""
    from monitor.paths import runtime_directory
    from trainer_hooks import records

    for path in (runtime_directory() / "hooks").glob(f"*{records.EVENTS_ENDING}"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime >= began and b'"text":"save-first: ' in path.read_bytes():
                return True
    return False


def autoload_directory() -> str:
    """The folder whose `sitecustomize` waits for trainers without a plugin entry point."""
    import trainer_hooks

    return os.path.join(os.path.dirname(os.path.abspath(trainer_hooks.__file__)), "autoload")


def runs_of(pids: Iterable[int], began: float) -> list[tuple[RunState, list[Score]]]:
    """Runs in the ledger that began since, and whose driver is one of `pids`."""
    from monitor.ledger.store import Ledger
    from monitor.paths import ledger_path

    if not ledger_path().exists():
        return []
    known = set(pids)
    with Ledger.open(read_only=True) as ledger:
        states = [ledger.run(summary.name) for summary in ledger.runs() if summary.started_at >= began - 1.0]
        return [(state, ledger.scores(state.name)) for state in states if state.config.driver_pid in known]


def judged(code: int, runs: list[tuple[RunState, list[Score]]], *, strict: bool) -> int:
    """The exit code, and one line on stderr for each run."""
    if not runs:
        say("laststep: no training of this command was seen, so nothing is said of its score")
        return code
    fails = False
    for state, scores in runs:
        stands, why = final_score(state, scores)
        word = {True: "the final score stands", False: "the final score does not stand", None: "unproven"}[stands]
        say(f"laststep: {state.name}: {word}: {why}")
        fails = fails or stands is False or (strict and stands is None)
    return int(ExitCode.SCORES_DO_NOT_STAND) if fails and code == 0 else code


def final_score(state: RunState, scores: list[Score]) -> tuple[bool | None, str]:
    """Whether the final score stands, and why; None: it is there, and not all of it is proved."""
    from monitor.ledger.attested import noise_on
    from monitor.ledger.standings import judge_run

    missing, reasons = judge_run(state, scores)
    final = [score for score in scores if score.step == state.final_step]
    if Standing.MISSING_FINAL in missing or (not final and state.final_step is not None):
        return False, "; ".join(reasons) or f"there is none of the last step, {state.final_step}"
    against = [score for score in final if AGAINST & set(score.standing) or noise_on(score.provenance.attestation)]
    if against:
        return False, "; ".join(against[0].reasons)
    valid = next((score for score in final if score.standing == (Standing.VALID,)), None)
    if valid is not None:
        return True, f"{valid.metric} {valid.value:g} at step {valid.step}; {'; '.join(valid.reasons)}"
    return None, "; ".join(final[0].reasons if final else reasons) or "the run's last step is not known"
