"""Two actors wait for each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import ray


def tell(path: str, *pids: int) -> None:
    """Name the culprits; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(" ".join(map(str, pids)))
    os.rename(path + ".new", path)


# seed: padding


DEPTH = 0  # seed: depth


def down(call: Callable[[], Any], depth: int = DEPTH) -> Any:
    return down(call, depth - 1) if depth else call()


class AgentLoopWorker:
    def finish_name(self) -> int:
        return 1

    def generate_sequences(self, told: str, server: Any, myself: Any) -> Any:
        return down(lambda: ray.get(server.score_name.remote(told, myself, os.getpid())))  # culprit


class RewardWorker:
    def score_name(self, told: str, agent: Any, agent_pid: int) -> Any:
        waiting = agent.finish_name.remote()
        tell(told, agent_pid, os.getpid())
        return down(lambda: ray.get(waiting))  # culprit


class TaskRunner:
    def run(self, told: str, agent: Any, reward: Any) -> None:
        ray.get(agent.generate_sequences.remote(told, reward, agent))


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    agent = ray.remote(AgentLoopWorker).options(name="agent_loop_name", num_cpus=0).remote()
    reward = ray.remote(RewardWorker).options(name="reward_name", num_cpus=0).remote()
    trainer = ray.remote(TaskRunner).options(num_cpus=0).remote()
    ray.get(trainer.run.remote(sys.argv[1], agent, reward))


if __name__ == "__main__":
    main()
