"""verl's own validation between the opening and the close of an attestation: an external module of verl.

`VERL_USE_EXTERNAL_MODULES=monitor.rerun.verl_attested` with LASTSTEP_ATTEST naming an order: a JSON file with `recipe`,
`dtype`, `checkpoint`, `start_model`, `weights_step`, and `path`, where it is written (`PATH.SERVER.RANK`). verl imports
it in each of its processes; only the trainer's does anything: before each validation its rollout servers open an
attestation, after it they close it. What goes wrong is written to `PATH.error`, and never reaches the trainer: no
attestation, no score. Needs the worker extension of `quant.vllm.verl_worker`.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer_hooks.frameworks.engine_attestation import Question, calls_of
from trainer_hooks.frameworks.on_import import install
from trainer_hooks.frameworks.wrapping import Call, Wrap

VARIABLE = "LASTSTEP_ATTEST"
TRAINERS = (
    ("verl.trainer.ppo.ray_trainer", "RayPPOTrainer._validate"),
    ("verl.trainer.ppo.v1.trainer_base", "PPOTrainer._validate"),
)


def begin(call: Call) -> None:
    """Open it in every server's worker: the weights that lie there now are those that will be evaluated."""
    _carefully(lambda order: _ask(call, lambda number: ("laststep_begin", {"recipe": order["recipe"]})))


def close(call: Call) -> None:
    """Close it, with what the disk says of checkpoint and start model, read apart from verl."""
    if call.error is None:
        _carefully(lambda order: _close(call, order))


def _close(call: Call, order: dict[str, Any]) -> None:
    """Each server's workers write files of their own: of several servers none is taken for all of them."""
    known = facts(order)
    _ask(call, lambda number: ("laststep_close", {"facts": known, "path": f"{order['path']}.{number}"}))


def facts(order: dict[str, Any]) -> dict[str, Any]:
    """Fingerprints as stored, and in the type that the engine holds them in."""
    from quant.checkpoint import read_weights
    from quant.fingerprint import fingerprint

    found: dict[str, Any] = {"weights_step": order["weights_step"]}
    for name, path in (("checkpoint", order["checkpoint"]), ("start", order["start_model"])):
        weights = read_weights(path) if path else None
        found[f"{name}_fingerprint"] = fingerprint(weights, dtype=order["dtype"]) if weights else None
        found[f"{name}_fingerprint_stored"] = fingerprint(weights) if weights else None
    return found


def _ask(call: Call, question: Question) -> None:
    import ray

    calls = calls_of(call.args[0], question)
    ray.get(calls)


def _carefully(work: Callable[[dict[str, Any]], None]) -> None:
    order = json.loads(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"))
    try:
        work(order)
    except Exception:  # Whatever it is, verl's validation goes on; the absence of the attestation refuses the score.
        Path(f"{order['path']}.error").write_text(traceback.format_exc(), encoding="utf-8")


if os.environ.get(VARIABLE):
    install([Wrap(module, path, begin, close, some_versions=True) for module, path in TRAINERS])
