"""The built-in demo's names, as verl has them: which functions of which modules are observed."""

from __future__ import annotations

from trainer_hooks.frameworks import rollout, training
from trainer_hooks.frameworks.wrapping import Wrap


def wraps(package: str = "monitor.demo") -> tuple[Wrap, ...]:
    """The wraps of a demo whose modules lie in `package`."""
    trainer, agent_loop, server = f"{package}.trainer", f"{package}.agent_loop", f"{package}.rollout"
    return (
        Wrap(trainer, "RayPPOTrainer.fit", training.before_fit, training.after_fit),
        Wrap(trainer, "RayPPOTrainer._validate", training.before_validate, training.after_validate),
        Wrap(trainer, "RayPPOTrainer._save_checkpoint", after=training.after_checkpoint),
        Wrap(trainer, "RayPPOTrainer._dump_generations", after=training.after_dump),
        Wrap(trainer, "RayPPOTrainer._update_weights", after=training.after_weights),
        Wrap(trainer, "marked_timer", training.before_phase, training.after_phase, context_manager=True),
        Wrap(trainer, "Tracking.log", after=training.after_log),
        Wrap(agent_loop, "AgentLoopWorker._run_agent_loop", after=rollout.after_sample),
        Wrap(server, "RolloutServer.update_weights", after=rollout.after_update_weights),
        Wrap(server, "RolloutServer.end_validation", after=rollout.after_end_validation),
    )
