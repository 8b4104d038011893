"""The evaluation as a child process in the training environment: `python -m quant.evaluation`, no Ray.

It dies with the job (SIGTERM from the kernel), is of a process group of its own, carries the rerun's mark, and runs at
the lowest priority. What it computed so far is kept in segments beside the dump.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.model.errors import ExitCode, LaststepError
from monitor.ray_head import dying_with_parent
from monitor.rerun.cancellation import Cancellation
from monitor.rerun.environment import child_environment
from monitor.rerun.environment_lines import best_gpu
from monitor.rerun.facts import GpuSpace
from monitor.rerun.own_ray import Evaluate
from monitor.rerun.plan import CannotPlan, RerunPlan
from monitor.rerun.verl_facts import gpus

POLL_SECONDS = 0.3
STOP_SECONDS = 10.0
SEGMENT_ROWS = 256
TAIL_BYTES = 4096
DONE, SCORED_REFUSED = 0, 12
LOWEST_PRIORITY = 19
UNLESS_SET = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
ALWAYS_SET = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
_PROGRESS = re.compile(r"(\d+)/(\d+) generations\b")


class EvaluationFailed(LaststepError):
    """The evaluation ended without a result."""

    HELP_TEXT = "see evaluation.log in the rerun's folder"
    exit_code = ExitCode.INTERNAL


@contextmanager
def opened(plan: RerunPlan, cancellation: Cancellation) -> Iterator[Evaluate]:
    """What evaluates one plan after the other, each in a child of its own."""
    del plan
    yield lambda inner, progress: evaluate(inner, cancellation, progress)


def evaluate(plan: RerunPlan, cancellation: Cancellation, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """The result as a document with its attestation. Raises `EvaluationFailed`, `Cancelled`."""
    folder = Path(plan.out_directory)
    log, answer = folder / "evaluation.log", folder / "evaluation.json"
    with log.open("wb") as said, answer.open("wb") as result:
        child = subprocess.Popen(
            dying_with_parent(command(plan, recipe_file(plan)), niceness=LOWEST_PRIORITY),
            stdin=subprocess.DEVNULL,
            stdout=result,
            stderr=said,
            cwd=folder,
            env={**environment(os.environ, plan.out_directory), **device(os.environ, gpus()[2])},
            start_new_session=True,
        )
    try:
        while child.poll() is None:
            cancellation.check()
            progress(*_progress(log))
            time.sleep(POLL_SECONDS)
    finally:
        end(child)
    if child.returncode not in (DONE, SCORED_REFUSED):
        raise EvaluationFailed(f"the evaluation ended with {child.returncode}: {last_line(log)}")
    return _document(plan, answer)


def command(plan: RerunPlan, recipe: str) -> list[str]:
    """The command of the evaluation; `recipe` is `none` or the file that holds it. Raises `CannotPlan`."""
    verl = plan.verl
    if verl is None or plan.python is None:
        raise CannotPlan("this plan is of no evaluation in a process of its own")
    words = [plan.python, "-m", "quant.evaluation", plan.checkpoint, plan.validation_file, "--engine", plan.engine]
    words += ["--recipe", recipe, "--out", str(plan.dump_path.parent), "--step", str(plan.step)]
    words += ["--metric", plan.metric, "--temperature", str(verl.temperature), "--top-p", str(verl.top_p)]
    words += ["--n", str(verl.n), "--max-tokens", str(verl.max_tokens), "--segment-rows", str(SEGMENT_ROWS)]
    return [*words, "--start-model", plan.start_model] if plan.start_model else words


def recipe_file(plan: RerunPlan) -> str:
    """`none`, or the file that holds the plan's recipe in full (JSON is YAML)."""
    if plan.recipe is None:
        return "none"
    path = Path(plan.out_directory) / "recipe.yaml"
    path.write_text(json.dumps(plan.recipe), encoding="utf-8")
    return str(path)


def environment(inherited: Mapping[str, str], rerun_directory: str) -> dict[str, str]:
    """The child's environment: one process (an engine's own child could outlive it), nothing fetched, no usage sent."""
    ours = {**UNLESS_SET, **child_environment(inherited, rerun_directory)}
    return {**ours, **ALWAYS_SET, "VLLM_CACHE_ROOT": str(Path(rerun_directory) / "vllm-cache")}


def device(inherited: Mapping[str, str], free: tuple[GpuSpace, ...]) -> dict[str, str]:
    """Which GPU the child sees: one that no process holds, of those that we were given.

    Nothing where that can't be told. Without it the engine takes the first GPU, which may be the live run's.
    """
    given = inherited.get("CUDA_VISIBLE_DEVICES")
    words = [word.strip() for word in given.split(",")] if given is not None else []
    if not all(word.isdigit() for word in words):
        return {}
    chosen = best_gpu(free, None if given is None else frozenset(map(int, words)))
    return {} if chosen is None else {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": str(chosen.index)}


def end(child: subprocess.Popen[bytes]) -> None:
    """End the child's process group: asked first, then at once."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        os.killpg(child.pid, number)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _document(plan: RerunPlan, answer: Path) -> dict[str, Any]:
    try:
        text = answer.read_text(encoding="utf-8")
        # Engines print to stdout too: the document is what stands last, from a line that is a brace alone.
        document: dict[str, Any] = json.loads(text[text.rindex("\n{\n") :] if "\n{\n" in text else text)
        attestation = json.loads((plan.dump_path.parent / "attestation.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationFailed(f"the evaluation left no result that can be read: {error}") from error
    return {**document, "attestation": attestation}


def _progress(log: Path) -> tuple[int, int]:
    found = _PROGRESS.findall(_tail(log))
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)


def last_line(log: Path) -> str:
    """What a log ends with, in one line."""
    lines = [line for line in _tail(log).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "it printed nothing"


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(os.path.getsize(log) - TAIL_BYTES, 0))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
