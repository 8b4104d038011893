"""verl itself as the evaluation (route `verl`): its `val_only` start in a Ray of the rerun's own, attested within.

The trainer is a child of the job, with the run's own settings, names and folders of the rerun's own, and the external
module that opens and closes the attestation around its validation (`verl_attested.py`). Trusted only in versions whose
weight sync was proved, and judged by its attestation all the same. One node; several are `--emit`'s affair.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.ray_head import RayHead, dying_with_parent
from monitor.rerun.cancellation import Cancellation
from monitor.rerun.own_process import LOWEST_PRIORITY, POLL_SECONDS, device, end, last_line
from monitor.rerun.own_ray import Evaluate, EvaluationFailed, head_folder
from monitor.rerun.plan import DEFAULT_METRIC, RerunPlan
from monitor.rerun.recorded_launch import RecordedLaunch, recorded_launch
from monitor.rerun.verl_attested import VARIABLE
from monitor.rerun.verl_evaluation import ENGINE_ARGUMENTS, ROLLOUT
from monitor.rerun.verl_facts import gpus
from monitor.rerun.verl_overrides import evaluation_overrides, hydra_value, noise_left_on

EXTENSION = "quant.vllm.verl_worker.LaststepVerlWorker"
ATTESTING = "monitor.rerun.verl_attested"
LOGICAL_CPUS = 24
"""V1's TransferQueue asks for so many logical CPUs; they cost nothing."""
OBJECT_STORE_BYTES = 400 * 2**20
ENGINE_DTYPE = "bfloat16"
"""verl's default (`rollout.dtype`)."""


@contextmanager
def opened(plan: RerunPlan, cancellation: Cancellation) -> Iterator[Evaluate]:
    """The Ray; what it gives starts verl in it.

    Raises `EvaluationFailed`, `Cancelled`, `RayHeadFailed`, `CannotPlan`.
    """
    launch = recorded_launch(plan)
    per_node = checked(launch)
    # Workers have the environment of the Ray they run in; this process is the rerun's alone.
    os.environ.update(environment(os.environ, plan))
    # The file logger erases the file that it names.
    os.environ.pop("VERL_FILE_LOGGER_PATH", None)
    os.environ.update(device(os.environ, gpus()[2]) if per_node == 1 else {})
    order(plan, launch)
    with (
        head_folder(plan) as folder,
        RayHead.start(
            folder,
            num_cpus=LOGICAL_CPUS,
            num_gpus=per_node,
            object_store_bytes=OBJECT_STORE_BYTES,
            dies_with_parent=True,
            python=plan.python or sys.executable,
        ) as head,
    ):
        cancellation.check()
        yield lambda inner, progress: evaluate(inner, launch, head, cancellation, progress)


def checked(launch: RecordedLaunch) -> int:
    """GPUs that verl is given. Raises `EvaluationFailed` where its evaluation would be of something else."""
    noise = noise_left_on(launch)
    if noise:
        raise EvaluationFailed(f"the run's noise ({noise}) would be on in verl's evaluation", "take route `laststep`")
    per_node, nodes = launch.get("trainer.n_gpus_per_node"), launch.get("trainer.nnodes")
    if isinstance(nodes, int) and nodes > 1:
        raise EvaluationFailed(f"verl's evaluation needs the run's {nodes} nodes", "print it: `--emit --route verl`")
    return per_node if isinstance(per_node, int) else 1


def environment(inherited: Mapping[str, str], plan: RerunPlan) -> dict[str, str]:
    """What verl's processes have beside the job's: the attestation, the rerun's own metrics and caches."""
    modules = [*filter(None, inherited.get("VERL_USE_EXTERNAL_MODULES", "").split(",")), ATTESTING]
    out = plan.out_directory
    return {
        "VERL_USE_EXTERNAL_MODULES": ",".join(dict.fromkeys(modules)),
        "VERL_FILE_LOGGER_ROOT": f"{out}/metrics",
        "VLLM_CACHE_ROOT": f"{out}/vllm-cache",
        VARIABLE: f"{out}/attest-order.json",
    }


def order(plan: RerunPlan, launch: RecordedLaunch) -> None:
    """What is to be attested, where verl's processes read it."""
    document = {
        "recipe": plan.recipe,
        "dtype": launch.get(f"{ROLLOUT}.dtype") or ENGINE_DTYPE,
        "checkpoint": plan.checkpoint,
        "start_model": plan.start_model,
        "weights_step": plan.step,
        "path": f"{plan.out_directory}/attested",
    }
    Path(f"{plan.out_directory}/attest-order.json").write_text(json.dumps(document), encoding="utf-8")


def command(plan: RerunPlan, launch: RecordedLaunch) -> list[str]:
    """verl's command; a configuration that was recorded whole is written into the rerun's folder."""
    words = [plan.python or sys.executable, "-m", launch.entry]
    if launch.whole:
        text = json.dumps(launch.values, indent=1, default=str)
        Path(plan.out_directory, "run.yaml").write_text(text, encoding="utf-8")
        words += [f"--config-path={plan.out_directory}", "--config-name=run"]
    elif launch.config_name:
        words.append(f"--config-name={launch.config_name}")
    words += evaluation_overrides(plan, launch)
    words.append(f"++{ENGINE_ARGUMENTS}.worker_extension_cls={EXTENSION}")
    # A driver that joins a Ray which is up may not say how many processors it has.
    words.append("++ray_kwargs.ray_init.num_cpus=null")
    return [*words, f"hydra.run.dir={hydra_value(f'{plan.out_directory}/hydra')}"]


def evaluate(
    plan: RerunPlan,
    launch: RecordedLaunch,
    head: RayHead,
    cancellation: Cancellation,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """verl from its start to its end; the result as a document. Raises `EvaluationFailed`, `Cancelled`."""
    log = Path(plan.out_directory) / "evaluation.log"
    with log.open("wb") as said:
        child = subprocess.Popen(
            dying_with_parent(command(plan, launch), niceness=LOWEST_PRIORITY),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=launch.folder if launch.folder and Path(launch.folder).is_dir() else plan.out_directory,
            env={**os.environ, **head.environment()},
            start_new_session=True,
        )
    try:
        while child.poll() is None:
            cancellation.check()
            if head.process.poll() is not None:
                raise EvaluationFailed(f"the Ray of verl's evaluation ended with {head.process.returncode}")
            progress(len(_rows(plan)), plan.rows_expected or 0)
            time.sleep(POLL_SECONDS)
    finally:
        end(child)
    if child.returncode != 0:
        raise EvaluationFailed(f"verl ended with {child.returncode}: {last_line(log)}")
    return document(plan)


def document(plan: RerunPlan) -> dict[str, Any]:
    """What verl left: rows, the metric's value, the attestation. Raises `EvaluationFailed`."""
    out = Path(plan.out_directory)
    rows = _rows(plan)
    if not rows:
        raise EvaluationFailed(f"verl wrote no sample to {plan.dump_path}: nothing was evaluated")
    found = sorted(out.glob("attested.[0-9]*"))
    if len(found) != 1:
        error = out / "attested.error"
        why = last_line(error) if error.exists() else "its external modules were not loaded, or the engine has several"
        raise EvaluationFailed(f"{len(found)} attestations came from verl's engine, one must: {why}")
    return {
        "value": _value(plan, rows),
        "rows": len(rows),
        "rows_expected": plan.rows_expected or len(rows),
        "dump_path": str(plan.dump_path),
        "attestation": json.loads(found[0].read_text(encoding="utf-8")),
    }


def _value(plan: RerunPlan, rows: list[dict[str, Any]]) -> float:
    """The plan's metric, as verl logged it; of a plan that knows none, the mean of the samples' scores."""
    logged: dict[str, Any] = {}
    for file in Path(plan.out_directory, "metrics").rglob("*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            logged.update(json.loads(line).get("data", {}))
    if plan.metric in logged:
        return float(logged[plan.metric])
    if plan.metric == DEFAULT_METRIC:
        return sum(float(row["score"]) for row in rows) / len(rows)
    raise EvaluationFailed(
        f"verl's validation logged no {plan.metric}, but {', '.join(sorted(logged)[:5]) or 'nothing'}"
    )


def _rows(plan: RerunPlan) -> list[dict[str, Any]]:
    """The dump's whole lines."""
    try:
        text = plan.dump_path.read_text(encoding="utf-8")
    except OSError:
        return []
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n") and line.strip()]
