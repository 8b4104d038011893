"""What the observers of rollout and agent-loop processes record: finished samples, weights taken, attestations.

Samples are counters, because there are many: one a validation step, one for all training samples. The observers look at
their call's arguments only, and at plain values in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer_hooks import recorder, records
from trainer_hooks.frameworks.wrapping import Call

_STEP_NAMES = ("global_steps", "global_step", "step")


def after_sample(call: Call) -> None:
    """A sample is finished."""
    if call.error is not None:
        return
    step = validation_step(call)
    counter = records.ROLLOUT_SAMPLES if step is None else records.validation_samples(step)
    recorder.get().add(counter)


def validation_step(call: Call) -> int | None:
    """The step whose validation the sample belongs to, None for a training sample.

    Looks for `validate` among the arguments by name, then inside the mappings and tuples among them (verl passes a
    `trajectory` dictionary), without binding the signature: this runs once a sample.
    """
    for group in (call.kwargs, *call.kwargs.values(), *call.args[1:]):
        found = group if isinstance(group, Mapping) else getattr(group, "meta_info", None)
        if isinstance(found, Mapping) and "validate" in found:
            step = _step(found) if found["validate"] else None
            return step if step is not None else (_step(call.kwargs) if found["validate"] else None)
    return None


def _step(values: Mapping[str, Any]) -> int | None:
    for name in _STEP_NAMES:
        value = values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def after_update_weights(call: Call) -> None:
    """The engine took new weights."""
    if call.error is not None:
        return
    given = call.arguments()
    step = _step(given)
    version = given.get("version")
    result = call.result
    fingerprint = result.get("fingerprint") if isinstance(result, Mapping) else result
    recorder.get().event(
        "weights_updated",
        step=step,
        version=version if isinstance(version, int) else step,
        fingerprint=fingerprint if isinstance(fingerprint, str) else None,
    )


def after_end_validation(call: Call) -> None:
    """The engine closed a validation with its attestation."""
    if call.error is None and isinstance(call.result, Mapping):
        step = _step(call.arguments())
        attestation = {str(name): value for name, value in call.result.items() if name not in ("step", "phase")}
        recorder.get().event("attested", step=step if step is not None else _step(call.result), **attestation)
