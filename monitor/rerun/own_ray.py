"""The evaluation in a Ray of the rerun's own: head, driver and one actor, all gone when it returns or the job dies.

Never joins another cluster: the address is that of the head it started.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.model.errors import ExitCode, LaststepError
from monitor.ray_head import RayHead
from monitor.rerun.cancellation import Cancellation
from monitor.rerun.claims import FOLDER_NOTE, FOLDER_PARENT, FOLDER_PREFIX
from monitor.rerun.environment import package_root
from monitor.rerun.evaluation_actor import EvaluationActor
from monitor.rerun.plan import RerunPlan

POLL_SECONDS = 0.3
ACTOR_SECONDS = 120.0
"""Longest wait for the actor's first answer: its process starts and imports our packages."""
PROGRESS_SECONDS = 5.0
"""Longest wait for one answer on progress; an actor deep in one batch answers between two."""


class EvaluationFailed(LaststepError):
    """The evaluation ended without a result."""

    HELP_TEXT = "see the rerun's log"
    exit_code = ExitCode.INTERNAL


Evaluate = Callable[[RerunPlan, Callable[[int, int], None]], dict[str, Any]]


@contextmanager
def opened(plan: RerunPlan, cancellation: Cancellation) -> Iterator[Evaluate]:
    """The Ray; what it gives evaluates one plan after the other and returns each result as a document.

    One Ray for all of them: a process keeps the token of the first Ray that it connected to. Raises `EvaluationFailed`,
    `Cancelled`, `RayHeadFailed`.
    """
    with _folder(plan) as folder, RayHead.start(folder, num_cpus=1, dies_with_parent=True) as head:
        cancellation.check()
        with _driver(head, cancellation):
            yield lambda inner, progress: _evaluate(inner, cancellation, progress)


@contextmanager
def _folder(plan: RerunPlan) -> Iterator[Path]:
    """A short folder for the head's own; a note in the rerun's folder names it, should this process be killed."""
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=FOLDER_PARENT))
    (Path(plan.out_directory) / FOLDER_NOTE).write_text(str(folder), encoding="utf-8")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _driver(head: RayHead, cancellation: Cancellation) -> Iterator[None]:
    # Ray reads how to authenticate while it is imported.
    os.environ.update(head.environment())
    import ray

    ray.init(address=head.address, log_to_driver=False, logging_level="warning", namespace="laststep-rerun")
    cancellation.listen()
    try:
        yield
    finally:
        ray.shutdown()


def _evaluate(plan: RerunPlan, cancellation: Cancellation, progress: Callable[[int, int], None]) -> dict[str, Any]:
    import ray
    from ray.exceptions import RayError

    actor = ray.remote(EvaluationActor).options(num_cpus=1, max_concurrency=2).remote()
    try:
        _check_code(ray.get(actor.whose_code.remote(), timeout=ACTOR_SECONDS))
        result = actor.evaluate.remote(plan)
        while not ray.wait([result], timeout=POLL_SECONDS)[0]:
            cancellation.check()
            progress(*_progress(actor))
        document: dict[str, Any] = ray.get(result)
    except RayError as error:
        said = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
        raise EvaluationFailed(f"the evaluation's process ended or gave no answer: {said}") from error
    finally:
        # The next evaluation needs its slot.
        ray.kill(actor)
    if "error" in document:
        raise EvaluationFailed(str(document["error"]), str(document["help"]))
    return document


def _progress(actor: Any) -> tuple[int, int]:
    import ray
    from ray.exceptions import GetTimeoutError

    try:
        done, total = ray.get(actor.progress.remote(), timeout=PROGRESS_SECONDS)
    except GetTimeoutError:
        return 0, 0
    return done, total


def _check_code(found: dict[str, str]) -> None:
    ours = str(package_root())
    for package, folder in found.items():
        if folder != ours:
            raise EvaluationFailed(
                f"the evaluation's process imported `{package}` from {folder}, which shadows ours in {ours}",
                f"remove the folder `{package}` from there, or PYTHONPATH's entry for it",
            )
