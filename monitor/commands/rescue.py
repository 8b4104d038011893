"""`laststep rescue RUN`: what could be saved and by whom, a typed confirmation, then idle workers save."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monitor.commands.attaching import add_attach_arguments, add_json_argument, print_json, say
from monitor.commands.confirmation import confirm
from monitor.commands.live_run import read_live
from monitor.model.errors import ExitCode
from monitor.model.json_form import to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `rescue`."""
    parser.add_argument("run", help="the live run's name or a prefix of it")
    parser.add_argument("--into", type=Path, metavar="DIR", help="a new folder (default: one beside the ledger)")
    parser.add_argument("--python", metavar="PYTHON", help="interpreter of the training environment")
    parser.add_argument("--dry-run", action="store_true", help="say what would be saved; ask no worker")
    parser.add_argument("--confirm", metavar="RUN", help="go on without asking; must be the run's name")
    add_attach_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 where the checkpoint is complete, 13 where no worker can be asked, 1 where one failed."""
    from monitor.ledger.store import Ledger
    from monitor.rerun.rescue import plan_rescue, rescue

    attached, reading = read_live(arguments)
    with Ledger.open() as ledger:
        plan = plan_rescue(
            attached.location.name,
            attached.location.job_id,
            attached.location.profile,
            reading.position,
            attached.api.actors(),
            attached.api.calls(),
            into=arguments.into or Path(ledger.path).resolve().parent / "rescued" / attached.location.name,
        )
        say(f"rescue of step {plan.step} of {plan.run} into {plan.folder}")
        for worker in plan.workers:
            say(f"  {worker.label} is idle, and is asked for `{plan.method}`")
        say("  this registers a driver in the run's Ray for as long as the saving takes")
        document: dict[str, Any] = {"schema": 1, "plan": to_json(plan), "status": "planned"}
        if not arguments.dry_run:
            named = f"the run's name {plan.run}"
            question = f"type the run's name to save ({plan.run}):"
            confirm(arguments.confirm, plan.run, question=question, named=named, what="a rescue")
            path = rescue(plan, attached.cluster, arguments.python)
            ledger.save_checkpoint_manifest(plan.run, plan.step, _manifest(path))
            document.update(status="saved", checkpoint=str(path))
            say(f"saved: {path}")
    if arguments.json:
        print_json(document)
    return int(ExitCode.OK)


def _manifest(path: Path) -> dict[str, list[object]]:
    from monitor.sources.checkpoints import manifest

    return manifest(path)
