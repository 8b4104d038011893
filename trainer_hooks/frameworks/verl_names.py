"""verl's names, 0.7 to 0.9.1 and recipes: which functions of which modules are observed.

Three kinds of fit: the legacy `RayPPOTrainer.fit`, V1's `PPOTrainer.fit` (0.9), and recipes whose trainer derives from
one of them and brings a `fit` of its own, in a module nobody can name beforehand. For the last, the trainer's class is
looked at once it has set up its workers, and whatever it overrides is observed where it lies. Timers are observed where
they are defined, so that every module's copy of the name is the observed one.
"""

from __future__ import annotations

import json
import os
import sys

from trainer_hooks import install, recorder, records, save_first
from trainer_hooks.frameworks import engine_attestation, rollout, training
from trainer_hooks.frameworks.wrapping import MARK, Call, Wrap, apply_to

LEGACY = "verl.trainer.ppo.ray_trainer"
V1 = "verl.trainer.ppo.v1.trainer_base"
AGENT_LOOP = "verl.experimental.agent_loop.agent_loop"
WEIGHTS = "verl.checkpoint_engine.base"
TRACKING = "verl.utils.tracking"
TIMERS = (
    "verl.utils.profiler.performance",
    "verl.utils.profiler.nvtx_profile",
    "verl.utils.profiler.mstx_profile",
    "verl.utils.profiler",
)
TIMER_COPIES = (LEGACY, V1, "verl.trainer.ppo.v1.trainer_sync")
"""Modules that may have been imported before the hooks came: their copies are observed too."""

JOB_CONFIG_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Where Ray hands a submitted job its configuration."""


def before_fit(call: Call) -> float | None:
    """Training begins; whether weights that are sent to the engine will be seen."""
    state = training.before_fit(call)
    manager = getattr(sys.modules.get(WEIGHTS), "CheckpointEngineManager", None)
    if getattr(getattr(manager, "update_weights", None), MARK, False):
        training.syncs_are_seen()
    return state


METHODS = (
    Wrap("", "fit", before_fit, training.after_fit),
    Wrap("", "_load_checkpoint", after=training.after_load),
    Wrap("", "_validate", engine_attestation.before_validate, engine_attestation.after_validate),
    Wrap("", "_val_metrics_update", before=training.before_metrics),
    Wrap("", "_save_checkpoint", training.before_checkpoint, training.after_checkpoint),
    Wrap("", "_dump_generations", after=training.after_dump),
)
"""Methods of a trainer that are observed, whichever class defines them."""


def wraps() -> tuple[Wrap, ...]:
    """All that is known by name."""
    own = tuple(
        Wrap(module, f"{name}.{wrap.path}", wrap.before, wrap.after)
        for module, name in ((LEGACY, "RayPPOTrainer"), (V1, "PPOTrainer"))
        for wrap in METHODS
    )
    timers = tuple(
        Wrap(
            module,
            "marked_timer",
            training.before_phase,
            training.after_phase,
            context_manager=True,
            some_versions=True,
        )
        for module in (*TIMERS, *TIMER_COPIES)
    )
    return (
        Wrap("ray", "init", before=into_workers),
        *timers,
        *own,
        Wrap(LEGACY, "RayPPOTrainer.init_workers", after=after_set_up),
        Wrap(V1, "PPOTrainer.init", after=after_set_up),
        Wrap(TRACKING, "Tracking.log", after=training.after_log),
        Wrap(WEIGHTS, "CheckpointEngineManager.update_weights", after=after_weights),
        Wrap(AGENT_LOOP, "AgentLoopWorker._run_agent_loop", after=rollout.after_sample),
        Wrap(AGENT_LOOP, "AgentLoopWorkerBase._run_agent_loop", after=rollout.after_sample, some_versions=True),
    )


def after_set_up(call: Call) -> None:
    """The trainer is set up: observe what its class overrides, wherever that is defined."""
    if call.error is None:
        observe_class(type(call.args[0]))


def observe_class(kind: type) -> None:
    """Observe the methods that an instance of this class runs, each in the class that defines it."""
    for wrap in METHODS:
        owner = next((base for base in kind.__mro__ if wrap.path in vars(base)), None)
        if owner is not None and not apply_to(owner, wrap.path, wrap):
            recorder.get().failed("observe_class", LookupError(f"{owner.__qualname__}.{wrap.path}"))


def after_weights(call: Call) -> None:
    """The trainer sent its weights to the engine, which took them."""
    training.after_weights(call)
    rollout.after_update_weights(call)


def into_workers(call: Call) -> None:
    """Ask for the hooks in the job's workers too, where the driver has them and Ray's nodes may not.

    Only variables of ours: where laststep is installed there, verl's plugin entry point does the rest; where it is not,
    nothing happens. What the job says of these variables itself stands.
    """
    if not install.wanted():
        return
    environment = dict(call.kwargs.get("runtime_env") or {})
    variables = dict(environment.get("env_vars") or {})
    wanted = {records.ENABLE_VARIABLE: "1"}
    if records.DIRECTORY_VARIABLE in os.environ:
        wanted[records.DIRECTORY_VARIABLE] = os.environ[records.DIRECTORY_VARIABLE]
    if save_first.wanted():
        wanted[records.SAVE_FIRST_VARIABLE] = "1"
    # Ray refuses to start a submitted job whose submission and whose driver both set a variable.
    submitted = submitted_variables()
    added = {name: value for name, value in wanted.items() if name not in variables and name not in submitted}
    if added:
        environment["env_vars"] = {**variables, **added}
        call.kwargs["runtime_env"] = environment


def submitted_variables() -> frozenset[str]:
    """Names of the variables that a job's submission sets (`ray job submit --runtime-env…`)."""
    config = json.loads(os.environ.get(JOB_CONFIG_VARIABLE) or "{}")
    return frozenset((config.get("runtime_env") or {}).get("env_vars") or ())
