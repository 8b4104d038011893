"""Driver of the small hung job: `python -m tests.diagnose.hung_job ADDRESS MODE TOLD HOOKS [KEY=VALUE]`."""

from __future__ import annotations

import sys

from tests.diagnose.hung_actors import TaskRunner


def main() -> None:
    """Connect, make the trainer, wait for it."""
    import ray

    address, mode, told, hooks = sys.argv[1:5]
    environment = {"worker_process_setup_hook": "trainer_hooks.install.ray_worker"} if hooks == "hooks" else {}
    ray.init(address=address, log_to_driver=False, runtime_env=environment)
    trainer = ray.remote(TaskRunner).options(name="task_runner", num_cpus=0).remote()
    ray.get(trainer.run.remote(mode, told))


if __name__ == "__main__":
    main()
