"""Validations of a verl run attested from inside its engine, where the run's configuration names our worker.

The one thing that hooks ask of a run: before the first sample and after the last of a validation, each server passes a
call on to its engine's workers (`quant/vllm/verl_worker.py`), which write what they found into the hooks' folder. Asked
for by `engine_kwargs.vllm.worker_extension_cls` alone; without it nothing here does anything. Each call is waited for
so long and no longer, and an engine that does not answer is told, never raised. Judging is the monitor's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer_hooks import recorder, records
from trainer_hooks.frameworks import settings_of, training
from trainer_hooks.frameworks.wrapping import Call

WORKER = "AttestedColocateWorker"
"""`quant.vllm.verl_worker`'s class, or one of the same name that a team derived from it."""
WORKER_KEY = "actor_rollout_ref.rollout.engine_kwargs.vllm.worker_extension_cls"
Question = Callable[[int], tuple[str, dict[str, Any]]]
SECONDS = 30.0
"""Longest wait for the engines: the trainer stands still meanwhile."""


def before_validate(call: Call) -> Any:
    """A validation begins: what stands in the engine before its first sample."""
    state = training.before_validate(call)
    if asked(call.args[0]):
        _tell(call.args[0], lambda number: ("laststep_begin_own", {}))
    return state


def after_validate(call: Call) -> None:
    """It ended: the engine's own word on it, then its scores."""
    if call.error is None and asked(call.args[0]):
        step = getattr(call.args[0], "global_steps", None)
        place = Path(records.hooks_directory()) / f"attestation-{os.getpid()}-{step}"
        facts = {"of_step": step}
        whole = _tell(call.args[0], lambda number: ("laststep_close", {"facts": facts, "path": f"{place}.{number}"}))
        _record(place, step, whole=whole)
    training.after_validate(call)


def asked(trainer: Any) -> bool:
    """True where the run's configuration names our worker."""
    named = settings_of.lookup(getattr(trainer, "config", None), WORKER_KEY)
    return isinstance(named, str) and named.rpartition(".")[2] == WORKER


def calls_of(trainer: Any, question: Question) -> list[Any]:
    """The calls under way in which each of the trainer's rollout servers asks its workers. Raises `AttributeError`.

    `question`: of a server's number the method and its arguments by name.
    """
    calls = []
    for number, server in enumerate(trainer.llm_server_manager.server_handles):
        method, arguments = question(number)
        calls.append(server.collective_rpc.remote(method, kwargs=arguments))
    return calls


def _tell(trainer: Any, question: Question) -> bool:
    """Let every server ask its workers; True where all answered. One that fails or lasts is told in a notice."""
    ray = sys.modules["ray"]
    try:
        calls = calls_of(trainer, question)
    except AttributeError:
        calls = []
    if not calls:
        recorder.get().event("notice", text="attestation: this trainer's servers were not found, so none is made")
        return False
    answered, waiting = ray.wait(calls, num_returns=len(calls), timeout=SECONDS)
    failed = 0
    for one in answered:
        try:
            ray.get(one)
        except Exception as error:
            failed += 1
            words = (str(error).strip().splitlines() or [""])[-1]
            recorder.get().event("notice", text=f"attestation: {type(error).__name__}: {words[:300]}")
    if waiting:
        recorder.get().event("notice", text=f"attestation: {len(waiting)} engines gave no answer in {SECONDS:.0f} s")
    return not (waiting or failed)


def _record(place: Path, step: Any, *, whole: bool) -> None:
    """The workers' documents as one event: of several, the one that proves least; none where an engine's is missing."""
    documents = []
    for path in sorted(place.parent.glob(f"{place.name}.*")):
        documents.append(json.loads(path.read_text(encoding="utf-8")))
        path.unlink()
    if documents and whole:
        recorder.get().event("attested", step=step, **min(documents, key=proved))


def proved(document: dict[str, Any]) -> tuple[bool, bool, int]:
    """Orders documents of one validation, whose workers hold the same model, by how much they prove."""
    quiet = not (document.get("noise") or {}).get("active")
    same = document.get("fingerprint_begin") == document.get("fingerprint_end")
    return quiet, same, int(document.get("active_layers") or 0)
