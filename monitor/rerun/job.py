"""The rerun's own process: `python -m monitor.rerun.job PLANFILE [PIPE]`.

Preflight once more, the lock, a Ray of its own, the evaluation, verification, the score. It always ends as `done`,
`failed` or `cancelled`; its Ray ends with it even when it is killed. All on the main thread: the kernel ties the head's
life to the thread that started it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.ledger.store import Ledger
from monitor.model.errors import ExitCode, LaststepError
from monitor.model.json_form import to_json
from monitor.rerun import calibration, own_process, own_ray, own_trainer, record
from monitor.rerun.calibration import Calibrated
from monitor.rerun.cancellation import Cancellation, Cancelled
from monitor.rerun.checkpoint_facts import checkpoint_facts
from monitor.rerun.facts import PreflightFacts, PreflightLine
from monitor.rerun.gather import data_facts, gather
from monitor.rerun.plan import RerunPlan, read_plan
from monitor.rerun.preflight import judge, refuse
from monitor.rerun.verify import Outcome, make_score, objections
from quant.verification import refusals


class NoScore(LaststepError):
    """The evaluation's result is not a score of the plan's checkpoint."""

    HELP_TEXT = "nothing was recorded as a score; the attestation and the log are in the rerun's folder"
    exit_code = ExitCode.INTERNAL


def main(words: Sequence[str]) -> int:
    """Run the plan in a file; the second word is the pipe that tells the launcher whether the rerun began."""
    plan = read_plan(Path(words[0]))
    pipe = int(words[1]) if len(words) > 1 else None
    cancellation = Cancellation()
    cancellation.listen()
    with Ledger.open(Path(plan.ledger)) as ledger:
        try:
            facts = last_look(plan, ledger)
            lines = judge(plan, facts)
            refuse(lines)
            identity = record.claim(ledger, plan)
        except LaststepError as error:
            tell(pipe, {"refused": str(error), "cure": error.HELP_TEXT})
            return int(error.exit_code)
        tell(pipe, {"id": identity})
        return conclude(plan, ledger, identity, facts, lines, cancellation)


def last_look(plan: RerunPlan, ledger: Ledger) -> PreflightFacts:
    """The facts of this moment; the output folder exists by now, made by the launcher for this plan alone."""
    facts = gather(plan, ledger)
    own = read_plan(plan.file) == plan
    return dataclasses.replace(facts, around=dataclasses.replace(facts.around, out_exists=not own))


def tell(pipe: int | None, answer: dict[str, str]) -> None:
    """Write the answer and close the pipe; a launcher that is gone doesn't matter."""
    if pipe is None:
        return
    try:
        os.write(pipe, (json.dumps(answer) + "\n").encode())
    except BrokenPipeError:
        pass
    finally:
        os.close(pipe)


def conclude(
    plan: RerunPlan,
    ledger: Ledger,
    identity: str,
    facts: PreflightFacts,
    lines: Sequence[PreflightLine],
    cancellation: Cancellation,
) -> int:
    """Do the work and record how it ended, whatever happens."""
    try:
        work(plan, ledger, identity, facts, lines, cancellation)
    except Cancelled as error:
        record.end(ledger, identity, "cancelled", str(error))
        return int(error.exit_code)
    except Exception as error:  # Whatever went wrong becomes the one sentence of a failed rerun; the log has the rest.
        traceback.print_exc()
        known = isinstance(error, LaststepError)
        sentence = str(error) if known else f"{type(error).__name__}: {error}"
        record.end(ledger, identity, "failed", " ".join(sentence.split()))
        return int(error.exit_code) if isinstance(error, LaststepError) else int(ExitCode.INTERNAL)
    return int(ExitCode.OK)


def work(
    plan: RerunPlan,
    ledger: Ledger,
    identity: str,
    facts: PreflightFacts,
    lines: Sequence[PreflightLine],
    cancellation: Cancellation,
) -> None:
    """Evaluate, verify, record."""
    record.write_document(plan, "preflight.json", [to_json(line) for line in lines])
    cancellation.check()
    with _place(plan)(plan, cancellation) as evaluate:
        calibrated = calibrate(plan, evaluate)
        document = evaluate(plan, lambda done, total: record.progress(ledger, identity, done, total))
    record.verifying(ledger, identity)
    outcome = read_outcome(document)
    record.write_document(plan, plan.attestation_path.name, outcome.attestation)
    data = data_facts(Path(plan.validation_file))
    after = checkpoint_facts(plan, ledger)
    found = objections(plan, outcome, facts.weights, facts.checkpoint, after, (facts.data.sha256, data.sha256))
    if found:
        raise NoScore("; ".join(found))
    score = make_score(
        plan,
        ledger.run(plan.run),
        outcome,
        lines,
        identity=identity,
        data_sha256=data.sha256,
        now=time.time(),
        calibrated=calibrated,
    )
    cancellation.check()
    record.done(ledger, identity, score)


def _place(plan: RerunPlan) -> Any:
    """What opens the evaluation."""
    if plan.by_trainer:
        return own_trainer.opened
    return own_process.opened if plan.python else own_ray.opened


def calibrate(plan: RerunPlan, evaluate: own_ray.Evaluate) -> Calibrated | None:
    """Repeat the training's own score that the plan names, in a folder below; None where it names none, or verl itself
    evaluates: its start is too dear to be made twice."""
    asked = plan.calibration
    if asked is None or plan.by_trainer:
        return None
    inner = dataclasses.replace(
        plan,
        step=asked.step,
        checkpoint=asked.checkpoint,
        out_directory=str(Path(plan.out_directory) / calibration.FOLDER),
        calibration=None,
    )
    Path(inner.out_directory).mkdir(mode=0o700)
    document = evaluate(inner, lambda _done, _total: None)
    outcome = read_outcome(document)
    found = refusals(
        outcome.attestation,
        recipe=plan.recipe,
        checkpoint_fingerprint=outcome.attestation.get("checkpoint_fingerprint"),
        start_fingerprint=outcome.attestation.get("start_fingerprint"),
    )
    calibrated = calibration.judge(asked, document, found)
    record.write_document(plan, "calibration.json", to_json(calibrated))
    return calibrated


def read_outcome(document: dict[str, Any]) -> Outcome:
    """The result's document with the rows that truly lie in the dump."""
    with open(document["dump_path"], encoding="utf-8") as stream:
        dumped = sum(1 for line in stream if line.strip())
    return Outcome(
        value=float(document["value"]),
        rows=int(document["rows"]),
        rows_expected=int(document["rows_expected"]),
        dump_rows=dumped,
        dump_path=str(document["dump_path"]),
        attestation=document["attestation"],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
