"""Who this process is in Ray: ids, actor name and concurrency, read only where Ray is imported and connected.

Asks Ray's core worker once an actor is known and keeps the answer; before that only Ray's Python attributes are read,
because a call into a core worker that is not there, or no longer, ends the process. Imports nothing of Ray.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_known: dict[str, Any] = {}
_actor: dict[str, Any] = {}


def _worker() -> Any:
    """Ray's global worker where it is connected, else None."""
    worker = getattr(sys.modules.get("ray._private.worker"), "global_worker", None)
    return worker if getattr(worker, "connected", False) and hasattr(worker, "core_worker") else None


def task_variable() -> Any:
    """The context variable in which Ray keeps the id of the task that a coroutine executes."""
    return getattr(sys.modules.get("ray._raylet"), "async_task_id", None)


def actor() -> dict[str, Any] | None:
    """{"actor_id", "name", "max_concurrency"} of the actor that lives in this process, None where there is none."""
    worker = _worker()
    actors = dict(getattr(worker, "actors", None) or {})
    if actors and not _actor:
        core = worker.core_worker
        _actor["actor_id"] = next(iter(actors)).hex()
        _actor["name"] = core.get_actor_name().decode("utf-8", "replace")
        _actor["max_concurrency"] = int(core.current_actor_max_concurrency())
    return dict(_actor) or None


def identity() -> dict[str, Any]:
    """What of the process record Ray knows now; empty as long as Ray was never connected."""
    worker = _worker()
    session = str(getattr(getattr(worker, "node", None), "session_name", "") or "")
    if worker is not None and session and session != _known.get("ray_session"):
        _known.update(
            worker_id=_hex(worker.worker_id),
            node_id=_hex(worker.current_node_id),
            job_id=_hex(worker.current_job_id),
            ray_session=session,
        )
    lives = actor()
    if lives is not None:
        return {**_known, "actor_id": lives["actor_id"], "actor_name": lives["name"]}
    return dict(_known)


def _hex(value: Any) -> str | None:
    return None if hasattr(value, "is_nil") and value.is_nil() else str(value.hex())


def _forget() -> None:
    """In a forked child, which is no Ray worker."""
    _known.clear()
    _actor.clear()


os.register_at_fork(after_in_child=_forget)
