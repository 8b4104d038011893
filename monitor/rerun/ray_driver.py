"""The driver of the rerun's own Ray: `python -m monitor.rerun.ray_driver PIPE`, plans on stdin, answers on the pipe.

A process of its own since a driver whose Ray dies while it connects can stand in Ray's own code for good, holding the
interpreter: no thread and no signal handler of that process runs then. One JSON document a line each way: in, a plan;
out, `{"connected": true}` once, then for each plan any number of `{"progress": [done, expected]}` and one
`{"result": document}` or `{"error": sentence, "help": cure}`. Ends when stdin does. Covers no judgement.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from monitor.model.json_form import from_json
from monitor.rerun.environment import package_root
from monitor.rerun.evaluation_actor import EvaluationActor
from monitor.rerun.plan import RerunPlan

POLL_SECONDS = 0.3
ACTOR_SECONDS = 120.0
"""Longest wait for the actor's first answer: its process starts and imports our packages."""
PROGRESS_SECONDS = 5.0
"""Longest wait for one answer on progress; an actor deep in one batch answers between two."""


def main(pipe: int) -> int:
    """Connect to the Ray that the environment names, then evaluate each plan that comes."""
    import ray

    address = os.environ["RAY_ADDRESS"]
    with os.fdopen(pipe, "w", encoding="utf-8") as stream:

        def tell(answer: dict[str, Any]) -> None:
            print(json.dumps(answer), file=stream, flush=True)

        ray.init(address=address, log_to_driver=False, logging_level="warning", namespace="laststep-rerun")
        tell({"connected": True})
        for line in sys.stdin:
            tell(_answer(from_json(RerunPlan, json.loads(line)), tell))
    ray.shutdown()
    return 0


def _answer(plan: RerunPlan, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    import ray
    from ray.exceptions import RayError

    actor = ray.remote(EvaluationActor).options(num_cpus=1, max_concurrency=2).remote()
    try:
        shadowed = _shadowed(ray.get(actor.whose_code.remote(), timeout=ACTOR_SECONDS))
        if shadowed:
            return shadowed
        result = actor.evaluate.remote(plan)
        while not ray.wait([result], timeout=POLL_SECONDS)[0]:
            tell({"progress": _progress(actor)})
        document: dict[str, Any] = ray.get(result)
    except RayError as error:
        said = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
        return {"error": f"the evaluation's process ended or gave no answer: {said}"}
    finally:
        # The next evaluation needs its slot.
        ray.kill(actor)
    return document if "error" in document else {"result": document}


def _progress(actor: Any) -> tuple[int, int]:
    import ray
    from ray.exceptions import GetTimeoutError

    try:
        done, total = ray.get(actor.progress.remote(), timeout=PROGRESS_SECONDS)
    except GetTimeoutError:
        return 0, 0
    return done, total


def _shadowed(found: dict[str, str]) -> dict[str, str]:
    """The refusal of an actor that imported another's packages; empty where they are ours."""
    ours = str(package_root())
    for package, folder in found.items():
        if folder != ours:
            return {
                "error": f"the evaluation's process imported `{package}` from {folder}, which shadows ours in {ours}",
                "help": f"remove the folder `{package}` from there, or PYTHONPATH's entry for it",
            }
    return {}


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
