"""A small trainer with the hooks' words, and faults to order: `python small_trainer.py FAULT`. Trains one number."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from trainer_hooks import recorder
from trainer_hooks.final_validation import FinalValidation

STEPS, ROWS = 3, 8


@contextmanager
def phase(step: int, name: str) -> Iterator[None]:
    """A phase, told as it begins and ends."""
    recorder.get().event("phase_begin", step=step, phase=name)
    yield
    recorder.get().event("phase_end", step=step, phase=name, seconds=0.0)


def main(fault: str) -> None:
    """Train; validate after each step, with the fault in the last."""
    told = recorder.get()
    guard = FinalValidation(STEPS)
    weight = 0.0
    told.event("run_config", total_steps=STEPS, validation_rows=ROWS)
    for step in range(1, STEPS + 1):
        last = step == STEPS
        early = last and fault == "too-early"
        for name in ("testing", "update_actor") if early else ("update_actor", "testing"):
            if name == "update_actor":
                with phase(step, name):
                    weight -= 0.1 * (weight - 1.0)
                guard.weights_trained(step)
                guard.weights_sent()
            elif not (last and fault == "skipped"):
                rows = {"empty": 0, "partial": 5}.get(fault, ROWS) if last else ROWS
                with phase(step, name):
                    guard.validation_began(step, ROWS)
                    guard.rows_seen(len([weight] * rows))
                    guard.validation_ended()
                    layers = 0 if fault == "not-quantized" else 4
                    noise = {"active": fault == "noisy", "sigma": 0.01}
                    told.event("attested", step=step, active_layers=layers, expected_layers=4, calls=32, noise=noise)
    guard.speak()


if __name__ == "__main__":
    main(sys.argv[1])
