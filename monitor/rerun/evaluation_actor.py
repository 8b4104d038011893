"""The actor that evaluates inside the rerun's own Ray. A plain class, wrapped with `ray.remote` where it is started.

It runs with two threads, so that progress can be asked for while an evaluation computes. What goes wrong comes back as
one sentence; the traceback goes to the rerun's log.
"""

from __future__ import annotations

import dataclasses
import os
import traceback
from pathlib import Path
from typing import Any

from monitor.rerun.environment import package_root
from monitor.rerun.plan import RerunPlan
from monitor.rerun.weights_probe import one_line

NICE = 19
"""Lowest priority: the live run's processes come first."""


class EvaluationActor:
    """Evaluates one plan."""

    def __init__(self) -> None:
        self._done = 0
        self._total = 0

    def whose_code(self) -> dict[str, str]:
        """Folders our packages were imported from in this process: another `quant` on the path would shadow ours."""
        import quant

        return {"monitor": str(package_root()), "quant": str(Path(quant.__file__).resolve().parent.parent)}

    def progress(self) -> tuple[int, int]:
        """Samples done and expected."""
        return self._done, self._total

    def evaluate(self, plan: RerunPlan) -> dict[str, Any]:
        """The evaluation's result as a plain document, or `{"error": sentence, "help": cure}`."""
        os.nice(NICE)
        try:
            return self._evaluate(plan)
        except Exception as error:  # Engines and checkpoints are anyone's; the job needs a sentence, whatever it was.
            with plan.log_path.open("a", encoding="utf-8") as log:
                log.write(traceback.format_exc())
            return {"error": one_line(error), "help": str(getattr(error, "HELP_TEXT", "see the rerun's log"))}

    def _evaluate(self, plan: RerunPlan) -> dict[str, Any]:
        from quant.evaluation import EvaluationRequest, evaluate, load_engine
        from quant.recipe import Recipe

        engine = load_engine(plan.engine)
        plan.dump_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        request = EvaluationRequest(
            checkpoint=Path(plan.checkpoint),
            start_model=Path(plan.start_model) if plan.start_model else None,
            validation_file=Path(plan.validation_file),
            recipe=Recipe.from_dict(plan.recipe) if plan.recipe else None,
            step=plan.step,
            dump_path=plan.dump_path,
            metric=plan.metric,
        )
        result = evaluate(engine, request, self._note)
        document = dataclasses.asdict(result)
        return {**document, "dump_path": str(document["dump_path"])}

    def _note(self, done: int, total: int) -> None:
        self._done, self._total = done, total
