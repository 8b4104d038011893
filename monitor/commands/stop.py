"""`laststep stop RUN`: what a run holds and what stopping costs, the bundle, typed words, then its processes end."""

from __future__ import annotations

import argparse
from typing import Any

from monitor.commands.attaching import add_attach_arguments, add_json_argument, print_json, say
from monitor.commands.confirmation import confirm
from monitor.commands.live_run import read_live, write_bundle
from monitor.model.errors import ExitCode
from monitor.model.json_form import to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `stop`."""
    parser.add_argument("run", help="the live run's name or a prefix of it")
    parser.add_argument("--dry-run", action="store_true", help="say what would be stopped and lost; stop nothing")
    parser.add_argument("--confirm", metavar="WORDS", help="the words it would ask for: the run's name, if it hangs")
    parser.add_argument("--lose", metavar="WORDS", help="the second words, where the newest weights are not on disk")
    add_attach_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 where all of the run's processes ended, 1 where some live on, 13 where it is refused."""
    from monitor.rerun.stopping import stop

    plan, reading = look(arguments)
    _tell(plan)
    phrases = [phrase for phrase in (plan.phrase, plan.loss_phrase) if phrase]
    document: dict[str, Any] = {"schema": 1, "plan": to_json(plan), "phrases": phrases, "status": "planned"}
    if arguments.dry_run:
        if arguments.json:
            print_json(document)
        return int(ExitCode.OK)
    # What can be learned of a hung run ends with it, so the bundle comes before the question.
    bundle = str(write_bundle(reading))
    say(f"  bundle: {bundle}")
    named = f"`{plan.phrase}`"
    confirm(arguments.confirm, plan.phrase, question=f"type {named} to stop it:", named=named, what="stopping a run")
    if plan.loss_phrase:
        named = f"`{plan.loss_phrase}`"
        question = f"{plan.loss}; `laststep rescue` can save them first. Type {named} to go on:"
        words = {"question": question, "named": named, "what": "losing weights", "option": "--lose"}
        confirm(arguments.lose, plan.loss_phrase, **words)
    stopped = stop(plan, lambda text: say(f"  {text}"))
    document.update(status="stopped", said=list(stopped.said), left=to_json(stopped.left), bundle=bundle)
    for target in stopped.left:
        say(f"laststep: it lives on: {target.label}")
    if not stopped.left:
        say(f"stopped: {plan.run} holds nothing on this machine any more")
    if arguments.json:
        print_json(document)
    return int(ExitCode.INTERNAL if stopped.left else ExitCode.OK)


def look(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """The plan for the live run that is named, and the reading it rests on. Raises `SourceError`, `CannotStop`."""
    from monitor.rerun.stop_plan import plan_stop

    attached, reading = read_live(arguments)
    location = attached.location
    plan = plan_stop(
        location.name,
        location.job_id,
        location.driver_pid,
        location.processes,
        location.unseen,
        attached.cluster.system_pids,
        reading.position,
        reading.verdict,
        location.profile.phases,
    )
    return plan, reading


def _tell(plan: Any) -> None:
    say(f"stop {plan.run} (job {plan.job_id}), which is judged: {plan.verdict}")
    for target in (plan.driver, *plan.others):
        say(f"  {target.label}")
    for text in plan.unseen:
        say(f"  not seen from here: {text}")
    say("  Ray itself, and other jobs in it, stay")
    say(f"  LOST: {plan.loss}" if plan.loss else "  the newest weights are on disk")
