"""`laststep rerun --missing`: every missing final score planned, listed with its reasons, filled one by one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monitor.commands.attaching import print_json, say
from monitor.commands.confirmation import confirm
from monitor.model.errors import ExitCode, LaststepError
from monitor.model.json_form import to_json

SIGNS = {"ready": "+", "under-way": ">", "refused": "x", "filled": "=", "failed": "!"}


class NoSuchFamily(LaststepError):
    """Words that name no run."""

    HELP_TEXT = "name runs by the beginning of their names, or folders that hold runs; with none: the whole ledger"
    exit_code = ExitCode.USAGE


def run(
    arguments: argparse.Namespace,
    look: Callable[..., Any] | None = None,
    launch: Callable[..., str] | None = None,
    follow: Callable[..., Any] | None = None,
) -> int:
    """Exit 0: all that is missing stands by now; 13: some are refused, 12: some do not stand, 1: some failed."""
    from monitor.ledger.store import Ledger
    from monitor.rerun.follow import watch_rerun
    from monitor.rerun.launch import start
    from monitor.rerun.missing import Stage, fill, missing_finals
    from monitor.rerun.preflight import check

    with Ledger.open() as ledger:
        names = family(arguments.run, ledger) if arguments.run else None
        found = missing_finals(ledger, look or check, names, arguments.python)
        state = {item.run: item for item in found}
        _tell(found)
        due = [item for item in found if item.stage in (Stage.READY, Stage.UNDER_WAY)]
        if due and not arguments.dry_run:
            # The number is part of the words: a plan that changed since it was read is not launched.
            phrase = f"fill {len(due)}"
            question = f"type `{phrase}` to launch them one after the other:"
            confirm(arguments.confirm, phrase, question=question, named=f"`{phrase}`")
            last = ""
            for item, row in fill(found, ledger, launch or start, follow or watch_rerun):
                state[item.run] = item
                count = f" {row.done}/{row.total} samples" if row is not None and row.total and not row.over else ""
                line = f"  {SIGNS[item.stage]} {item.run}: {item.why}{count}"
                if line != last:
                    say(line)
                    last = line
        return _end(list(state.values()), ledger, arguments)


def family(given: Sequence[str], ledger: Any) -> list[str]:
    """The runs meant: those of a folder (or of the folders in it), or those whose names begin so."""
    names: list[str] = []
    for word in given:
        meant = _of_folder(Path(word), ledger) if os.sep in word or Path(word).is_dir() else []
        meant = meant or [row.name for row in ledger.runs() if row.name.startswith(word)]
        if not meant:
            raise NoSuchFamily(f"{word} names no run of the ledger, and no folder that holds one")
        names += meant
    return names


def _of_folder(folder: Path, ledger: Any) -> list[str]:
    from monitor.rerun.adopt import NoRunThere, adopt

    try:
        return [adopt(folder, ledger)]
    except NoRunThere:
        names = []
    for inner in sorted(folder.iterdir()) if folder.is_dir() else ():
        if inner.is_dir():
            try:
                names.append(adopt(inner, ledger))
            except NoRunThere:
                continue
    return names


def _tell(found: Sequence[Any]) -> None:
    if not found:
        say("no final score is missing")
    for item in found:
        step = f" step {item.plan.step} with {item.plan.recipe_label}" if item.plan else ""
        say(f"{SIGNS[item.stage]} {item.run}{step}: {item.stage}: {item.why}")


def _end(found: Sequence[Any], ledger: Any, arguments: argparse.Namespace) -> int:
    stages = {str(item.stage) for item in found}
    if arguments.json:
        print_json({"schema": 1, "missing": [_document(item) for item in found]})
    stand = all(_stands(item, ledger) for item in found if str(item.stage) == "filled")
    if "failed" in stages:
        return int(ExitCode.INTERNAL)
    if "refused" in stages:
        return int(ExitCode.REFUSED)
    return int(ExitCode.OK if stand else ExitCode.SCORES_DO_NOT_STAND)


def _stands(item: Any, ledger: Any) -> bool:
    scores = [score for score in ledger.scores(item.run) if score.provenance.rerun_id == item.rerun]
    return any([word.value for word in score.standing] == ["valid"] for score in scores)


def _document(item: Any) -> dict[str, Any]:
    plan = item.plan
    return {
        "run": item.run,
        "stage": str(item.stage),
        "why": item.why,
        "step": plan.step if plan else None,
        "recipe": plan.recipe_label if plan else None,
        "checkpoint": plan.checkpoint if plan else None,
        "needs": to_json(item.needs) if item.needs else None,
        "rerun": item.rerun,
    }
