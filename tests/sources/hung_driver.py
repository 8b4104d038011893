"""A driver whose job hangs for real, named as verl names its parts. Run by `hung_ray.py`; never ends by itself.

The rollout server calls itself inside its own loop, and an agent-loop worker blocks its loop with a sleep.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from pprint import pprint
from typing import Any

import ray

EXPERIMENT = "hung-test"


class RolloutServer:
    """Serves, until it waits for itself."""

    async def generate(self, number: int) -> int:
        await asyncio.sleep(0.01)
        return number

    async def update_weights(self) -> Any:
        myself = ray.get_actor("rollout_server_0")
        return ray.get(myself.generate.remote(1))


class AgentLoopWorker:
    """Blocks the loop that it runs in."""

    async def generate_sequences(self) -> None:
        time.sleep(3600)


class TaskRunner:
    """Prints as the trainer does, then waits for what never comes."""

    def run(self, folder: str, server: Any, agent: Any) -> None:
        config = {
            "actor_rollout_ref": {"model": {"path": f"{folder}/model"}, "rollout": {"n": 4, "val_kwargs": {"n": 1}}},
            "data": {"val_batch_size": 64, "val_files": f"{folder}/validation.jsonl"},
            "trainer": {
                "default_local_dir": "checkpoints",
                "experiment_name": EXPERIMENT,
                "logger": ["console", "file"],
                "project_name": "tests",
                "save_freq": 29,
                "test_freq": 20,
                "total_training_steps": 29,
                "val_before_train": True,
                "validation_data_dir": f"{folder}/validation",
            },
        }
        pprint(config)
        print("Total training steps: 29")
        print("test_gen_batch meta info: {'eos_token_id': 1, 'validate': True, 'global_steps': 29}", flush=True)
        waiting = [agent.generate_sequences.remote(), server.update_weights.remote()]
        ray.wait(waiting, num_returns=2)


def main() -> None:
    ray.init(address=sys.argv[2], namespace="tests")
    server = ray.remote(RolloutServer).options(name="rollout_server_0", num_cpus=0, max_concurrency=8).remote()
    agent = ray.remote(AgentLoopWorker).options(name="agent_loop_worker_0", num_cpus=0).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(server.generate.remote(0))
    done = trainer.run.remote(str(Path(sys.argv[1]).resolve()), server, agent)
    time.sleep(1.0)
    ray.get(done)


if __name__ == "__main__":
    main()
