"""The driver of the test with real Ray: makes the actor, orders its calls, says who they are."""

from __future__ import annotations

import json
import os
import sys

import trainer_hooks.install
from tests.trainer_hooks.ray_server import Server

trainer_hooks.install.driver()

import ray

ray.init(
    address=os.environ["RAY_ADDRESS"],
    namespace="hooks",
    log_to_driver=False,
    runtime_env=trainer_hooks.install.into_ray(),
)
actor = ray.remote(Server).options(name="server_0", max_concurrency=17).remote()
pid = ray.get(actor.pid.remote())
event = actor.on_event.remote()
calls = {"event": event, "reference": actor.on_reference.remote([event]), "children": actor.on_children.remote([event])}
ids = {name: [call.task_id().hex(), call.hex()] for name, call in calls.items()}
print(json.dumps({"pid": pid, "actor_id": actor._actor_id.hex(), "calls": ids, "driver": os.getpid()}), flush=True)
sys.stdin.readline()
blocked = actor.block.remote()
print(json.dumps({"block": blocked.task_id().hex()}), flush=True)
sys.stdin.readline()
