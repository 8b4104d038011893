"""`laststep rerun RUN`: plan, preflight, typed confirmation, launch, follow, the score with its proofs."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import Any

from monitor.commands.attaching import add_json_argument, print_json, say
from monitor.commands.confirmation import confirm
from monitor.model.errors import ExitCode, LaststepError
from monitor.model.json_form import to_json

SIGNS = {"pass": "+", "fail": "x", "unknown": "?"}


class OneRun(LaststepError):
    """No run is named, or several."""

    HELP_TEXT = "`laststep rerun RUN`; for all that are missing: `laststep rerun --missing`"
    exit_code = ExitCode.USAGE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `rerun`."""
    parser.add_argument(
        "run", nargs="*", help="the run's name, a unique prefix of it, or the run's folder; several with --missing"
    )
    parser.add_argument(
        "--missing",
        action="store_true",
        help="fill every missing final score: of the runs named, or of the whole ledger",
    )
    parser.add_argument("--step", type=int, help="the step to score (default: the run's last)")
    parser.add_argument(
        "--quant", metavar="RECIPE", help="`bf16`, or a recipe (default: the one the run was trained with)"
    )
    parser.add_argument(
        "--python", metavar="PYTHON", help="interpreter of the training environment, where ours has no vLLM (verl runs)"
    )
    parser.add_argument("--dry-run", action="store_true", help="plan and preflight only")
    parser.add_argument("--emit", action="store_true", help="print the rerun as a bash script, for SLURM or Kubernetes")
    parser.add_argument("--route", choices=["laststep", "verl"], help="what evaluates (default: the plan's)")
    parser.add_argument("--confirm", metavar="RUN", help="launch without asking; must be the run's name")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 13 where preflight refuses, 12 where the new score doesn't stand."""
    if arguments.missing:
        return _missing(arguments)
    if len(arguments.run) != 1:
        raise OneRun(f"a rerun is of one run, {len(arguments.run)} are named")
    from monitor.ledger.store import Ledger
    from monitor.rerun.plan import make_plan
    from monitor.rerun.preflight import check
    from monitor.rerun.routes import taken

    with Ledger.open() as ledger:
        state = ledger.run(_run_name(arguments.run[0], ledger))
        plan = make_plan(ledger, state.name, step=arguments.step, quant=arguments.quant, python=arguments.python)
        if arguments.route and not arguments.emit:
            chosen = taken(plan.routes, arguments.route)
            plan = replace(plan, routes=chosen, route_reason=f"route `{arguments.route}`, as asked")
        lines = check(plan, ledger)
        document: dict[str, Any] = {"schema": 1, "plan": to_json(plan), "preflight": [to_json(line) for line in lines]}
        _tell_plan(plan, lines)
        if arguments.emit:
            return _emit(plan, lines, ledger, arguments.route)
        failed = [line for line in lines if line.state == "fail"]
        if failed or arguments.dry_run:
            document["status"] = "refused" if failed else "planned"
            if arguments.json:
                print_json(document)
            return int(ExitCode.REFUSED if failed else ExitCode.OK)
        confirm(
            arguments.confirm,
            state.name,
            question=f"type the run's name to launch ({state.name}):",
            named=f"the run's name {state.name}",
        )
        return _launch(plan, ledger, document, as_json=arguments.json)


def _missing(arguments: argparse.Namespace) -> int:
    """All of them; words that are about one rerun are refused, not left out."""
    from monitor.commands import rerun_missing

    alone = [word for word in ("step", "quant", "emit", "route") if getattr(arguments, word)]
    if alone:
        raise OneRun(f"--{alone[0]} is about one run, --missing about many")
    return rerun_missing.run(arguments)


def _run_name(given: str, ledger: Any) -> str:
    """The run meant: one of the ledger, or the one that lies in a folder."""
    from pathlib import Path

    from monitor.rerun.adopt import adopt

    return adopt(Path(given), ledger) if os.sep in given or Path(given).is_dir() else given


def _tell_plan(plan: Any, lines: Any) -> None:
    recipe = plan.recipe["name"] if plan.recipe else "BF16, not quantized"
    say(f"rerun of the validation of {plan.run} at step {plan.step} with {recipe}")
    say(f"  from {plan.checkpoint}")
    say(f"  into {plan.out_directory}")
    say(f"  by {plan.route_reason}")
    for route in plan.routes:
        say(f"  route {route.name}, {'chosen' if route.chosen else 'not taken'}: {route.why}")
    for line in lines:
        say(f"  {SIGNS[line.state]} {line.name}: {line.sentence}")
        if line.state == "fail" and line.cure:
            say(f"      {line.cure}")


def _emit(plan: Any, lines: Any, ledger: Any, asked: str | None) -> int:
    """Print the script; refused where a line that holds on every machine failed."""
    from monitor.rerun.environment import package_root
    from monitor.rerun.needs import needs_of
    from monitor.rerun.recorded_launch import recorded_launch
    from monitor.rerun.script import OF_THIS_MACHINE, refusals, route_to_print, script_of

    route = route_to_print(plan, asked)
    failed = refusals(lines, route.name)
    if failed:
        say(f"laststep: no script: {failed[0].sentence}")
        return int(ExitCode.REFUSED)
    launch = recorded_launch(plan) if route.name == "verl" else None
    doubts = [line for line in lines if line.state != "pass" and line.name not in OF_THIS_MACHINE]
    needs = needs_of(plan, ledger)
    print(script_of(plan, route, needs, packages=str(package_root()), launch=launch, doubts=doubts), end="")
    return int(ExitCode.OK)


def _launch(plan: Any, ledger: Any, document: dict[str, Any], *, as_json: bool) -> int:
    from monitor.report.scores import score_document
    from monitor.rerun.follow import watch_rerun
    from monitor.rerun.launch import start

    identity = start(plan, ledger)
    last = ""
    for row in watch_rerun(ledger, identity):
        line = f"  {row.status}: {row.done}/{row.total} samples" if row.total else f"  {row.status}"
        if line != last:
            say(line)
            last = line
    row = ledger.rerun(identity)
    score = next((item for item in ledger.scores(plan.run) if item.provenance.rerun_id == identity), None)
    document.update(status=row.status, rerun=identity, score=score_document(score) if score else None)
    if row.status != "done" or score is None:
        document["error"] = row.error
        say(f"laststep: the rerun {row.status}: {row.error}")
    else:
        standing = ", ".join(word.value for word in score.standing)
        say(f"step {score.step}: {score.metric} {score.value:.4f}, standing: {standing}")
        for reason in score.reasons:
            say(f"  {reason}")
    if as_json:
        print_json(document)
    if row.status != "done" or score is None:
        return int(ExitCode.INTERNAL)
    stands = [word.value for word in score.standing] == ["valid"]
    return int(ExitCode.OK if stands else ExitCode.SCORES_DO_NOT_STAND)
