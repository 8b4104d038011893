"""The driver actor: creates the other actors, then trains."""

from __future__ import annotations

from pathlib import Path
from pprint import pprint
from typing import Any

from monitor.demo import config as settings
from monitor.demo.agent_loop import AgentLoopWorker
from monitor.demo.faults import FaultOrder
from monitor.demo.own_code import require_own
from monitor.demo.rollout import RolloutServer
from monitor.demo.train_worker import WorkerDict
from monitor.demo.trainer import RayPPOTrainer


class TaskRunner:
    """Runs one training job."""

    def run(self, config: dict[str, Any], source: Path, order: FaultOrder) -> None:
        """To its end."""
        import ray

        require_own(source)
        pprint(config)
        worker = ray.remote(WorkerDict).options(num_cpus=1, name="demoWorkerDict_0:0").remote(config, source)
        server = (
            ray.remote(RolloutServer)
            .options(num_cpus=1, name="rollout_server_0", max_concurrency=settings.ROLLOUT_SLOTS)
            .remote(config, source, order)
        )
        agent_loops = [
            ray.remote(AgentLoopWorker)
            .options(num_cpus=0, name=f"agent_loop_worker_{index}")
            .remote(server, index, order)
            for index in range(settings.AGENT_WORKERS)
        ]
        ray.get([worker.init_model.remote(), server.init_model.remote()])
        RayPPOTrainer(config, worker, server, agent_loops, order).fit()
