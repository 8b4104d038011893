"""The demo's driver: `python -m monitor.demo.driver --out DIR --address A`. Connects, makes the TaskRunner, waits.

Before that it writes the start model and the validation set into DIR, as if they had been downloaded.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.demo import arithmetic, config, faults
from monitor.demo.own_code import require_own, source_folder
from monitor.demo.tracking import FILE_LOGGER_PATH, FILE_LOGGER_ROOT
from monitor.model.errors import LaststepError

LAST_WORDS_SECONDS = 1.0
"""From the trainer's end to Ray's: what it printed last is forwarded apart, and would be lost. At the exit of an
interpreter Ray waits 0.5 s for the same."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 at the run's end; the exit code of what a person can mend."""
    try:
        run(_parse(arguments))
    except LaststepError as error:
        print(f"{error}: {error.HELP_TEXT}", file=sys.stderr)
        return int(error.exit_code)
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Raises `LaststepError` for what a person can mend; a failure of the training itself as Ray raises it."""
    source = source_folder()
    require_own(source)
    options = config.DemoOptions(
        out=arguments.out.resolve(),
        steps=arguments.steps,
        seed=arguments.seed,
        order=arguments.order,
        experiment=arguments.experiment,
        test_freq=arguments.test_freq,
        save_freq=arguments.save_freq,
    )
    resolved = config.resolve(options)
    order = faults.FaultOrder(arguments.hang, options.steps, str(options.out / faults.RECORD_NAME), arguments.chatter)
    _write_inputs(resolved, options.seed)
    _train(resolved, source, order, arguments)


def _write_inputs(resolved: dict[str, Any], seed: int) -> None:
    import torch

    from monitor.demo.tiny_model import save_start_model

    torch.set_num_threads(1)
    save_start_model(Path(resolved["actor_rollout_ref"]["model"]["path"]), seed)
    arithmetic.write_validation_set(Path(resolved["data"]["val_files"]))


def _train(resolved: dict[str, Any], source: Path, order: faults.FaultOrder, arguments: argparse.Namespace) -> None:
    import ray
    from ray.exceptions import RayTaskError

    from monitor.demo.task_runner import TaskRunner

    ray.init(address=arguments.address, runtime_env=_runtime_env(arguments.out.resolve(), hooks=not arguments.no_hooks))
    try:
        runner = ray.remote(TaskRunner).options(num_cpus=1, name="task_runner").remote()
        ray.get(runner.run.remote(resolved, source, order))
    except RayTaskError as error:
        if isinstance(error.cause, LaststepError):
            raise error.cause from None
        raise
    finally:
        time.sleep(LAST_WORDS_SECONDS)
        ray.shutdown()


def _runtime_env(out: Path, *, hooks: bool) -> dict[str, Any]:
    root = os.environ.get(FILE_LOGGER_ROOT, str(out / "logs"))
    variables = {FILE_LOGGER_ROOT: root, "OMP_NUM_THREADS": "1"}
    if FILE_LOGGER_PATH in os.environ:
        variables[FILE_LOGGER_PATH] = os.environ[FILE_LOGGER_PATH]
    runtime_env: dict[str, Any] = {"env_vars": variables}
    if not hooks:
        return runtime_env
    from trainer_hooks import install

    install.driver()
    return install.into_ray(runtime_env)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m monitor.demo.driver", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--address", required=True, help="GCS address of the Ray to run in")
    parser.add_argument("--steps", type=int, default=29)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--order", choices=config.ORDERS, default="save-first")
    parser.add_argument("--experiment", default=config.EXPERIMENT)
    parser.add_argument("--test-freq", type=int, default=20, help="steps between validations")
    parser.add_argument("--save-freq", type=int, default=20, help="steps between checkpoints")
    parser.add_argument("--hang", choices=faults.HANG_CLASSES)
    parser.add_argument("--chatter", action="store_true")
    parser.add_argument("--no-hooks", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
