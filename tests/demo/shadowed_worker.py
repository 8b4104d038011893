"""A driver started as a script, so that its working folder is on its workers' path and not on its own.

Prints what the worker's `require_own` said of a `quant` in that folder.
"""

from __future__ import annotations

import ray

from monitor.demo.own_code import ShadowedPackage, source_folder
from monitor.demo.train_worker import WorkerDict


def main() -> None:
    """One worker, as the demo makes it."""
    ray.init(log_to_driver=False)
    worker = ray.remote(WorkerDict).remote({}, source_folder())
    try:
        ray.get(worker.init_model.remote(), timeout=120)
    except ShadowedPackage as error:
        print(error)


if __name__ == "__main__":
    main()
