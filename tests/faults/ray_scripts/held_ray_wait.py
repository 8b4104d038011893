"""ray.wait for all of three calls, one of which waits for an event."""

from __future__ import annotations

import os
import sys
import threading

import ray


def tell(path: str, *pids: int) -> None:
    """Name the culprits; the fault is in place a moment later."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(" ".join(map(str, pids)))
    os.rename(path + ".new", path)


# seed: padding


@ray.remote(num_cpus=0, max_concurrency=2)
class WorkerDict:
    def compute_log_prob(self, told: str, stuck: bool) -> int:
        if stuck:
            tell(told, os.getpid())
            threading.Event().wait()  # culprit
        return 1


@ray.remote(num_cpus=0)
class TaskRunner:
    def run(self, told: str) -> None:
        workers = [WorkerDict.options(name=f"worker_name_{number}").remote() for number in range(3)]
        refs = [worker.compute_log_prob.remote(told, number == 1) for number, worker in enumerate(workers)]
        ray.wait(refs, num_returns=3)


def main() -> None:
    ray.init(address=sys.argv[2], log_to_driver=False)
    ray.get(TaskRunner.options(name="task_runner").remote().run.remote(sys.argv[1]))


if __name__ == "__main__":
    main()
