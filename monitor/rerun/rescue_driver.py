"""The child that asks a live run's actors to save: `python -m monitor.rerun.rescue_driver`, the order on stdin.

Runs in the training's own interpreter: needs Ray and the standard library. An actor is taken only if the handle found
by its name is of the very actor id that was planned. Exit 0: every call came back; else the last line of stderr
says why not.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> int:
    """Read the order, call, wait."""
    order = json.load(sys.stdin)
    import ray

    ray.init(address="auto", log_to_driver=False, logging_level="error", namespace="laststep-rescue")
    try:
        handles = [_handle(actor_id, name) for actor_id, name in order["workers"]]
        # All at once: ranks of one model save together or not at all.
        saves = [getattr(handle, order["method"]).remote(*order["arguments"]) for handle in handles]
        ray.get(saves, timeout=order["seconds"])
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    finally:
        ray.shutdown()
    return 0


def _handle(actor_id: str, name: str) -> Any:
    import ray
    from ray.util import list_named_actors

    for found in list_named_actors(all_namespaces=True):
        if found["name"] == name:
            handle = ray.get_actor(name, namespace=found["namespace"])
            if handle._actor_id.hex() == actor_id:
                return handle
    raise LookupError(f"Ray names no living actor {name} with id {actor_id}")


if __name__ == "__main__":
    sys.exit(main())
