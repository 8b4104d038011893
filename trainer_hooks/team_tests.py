"""For a team's own tests: did a training execute its final validation, in full, last of all, quantized as configured?

    def test_our_trainer_validates_last(tmp_path):
        evidence = team_tests.record([sys.executable, "train.py", "--steps", "3"], tmp_path)
        team_tests.assert_final_validation(evidence, rows=256, quantized=True)

Needs the standard library only. What is looked at is what the hooks recorded while it was executed, never source or
configuration; a trainer the hooks don't know records through `trainer_hooks.recorder`. `objections` gives the sentences
without raising.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_hooks import records

TESTING, UPDATE = "testing", "update_actor"


@dataclass(frozen=True)
class Evidence:
    """Event lines of every process of a training, in the order of their times."""

    events: tuple[Mapping[str, Any], ...]

    def of(self, kind: str, phase: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Those of one kind, and phase where given."""
        return (event for event in self.events if event["kind"] == kind and phase in (None, event.get("phase")))


def record(
    command: Sequence[str], folder: Path, *, timeout: float | None = None, environment: Mapping[str, str] | None = None
) -> Evidence:
    """Run a training with the hooks in, their files in `folder`, and read what they recorded.

    Raises CalledProcessError where the command fails and TimeoutExpired where it takes more than `timeout` seconds.
    """
    wanted = {**os.environ, **(environment or {})}
    autoload = os.path.join(os.path.dirname(os.path.abspath(__file__)), "autoload")
    paths = [path for path in wanted.get("PYTHONPATH", "").split(os.pathsep) if path]
    wanted["PYTHONPATH"] = os.pathsep.join([*paths, autoload])
    wanted[records.ENABLE_VARIABLE] = "1"
    wanted[records.DIRECTORY_VARIABLE] = str(folder / "laststep")
    subprocess.run(list(command), env=wanted, check=True, timeout=timeout)
    return read(folder / "laststep" / "hooks")


def read(hooks: Path) -> Evidence:
    """What the hooks wrote into their folder. A line that was cut is left out."""
    events = []
    for path in sorted(hooks.glob(f"*{records.EVENTS_ENDING}")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
                event["kind"], event["at"] = str(event["kind"]), float(event["at"])
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(event.get("data", {}), dict):
                events.append(event)
    return Evidence(tuple(sorted(events, key=lambda event: event["at"])))


def assert_final_validation(
    evidence: Evidence, *, rows: int | None = None, quantized: bool = False, last_step: int | None = None
) -> None:
    """AssertionError with a sentence for each thing that doesn't hold."""
    found = objections(evidence, rows=rows, quantized=quantized, last_step=last_step)
    assert not found, "; ".join(found)


def objections(
    evidence: Evidence, *, rows: int | None = None, quantized: bool = False, last_step: int | None = None
) -> list[str]:
    """Why the final validation doesn't stand; empty: it does.

    `rows`: of a full validation (default: what the trainer's own data hold). `quantized`: an attestation of the engine
    must cover it, without noise. `last_step`: default the run's configured total.
    """
    if not any(evidence.of("run_config")):
        return ["the hooks recorded no training: they were not in the process that trains"]
    config: dict[str, Any] = {}
    for event in evidence.of("run_config"):
        config.update(event.get("data") or {})
    final = last_step if last_step is not None else config.get("total_steps")
    if not isinstance(final, int):
        return ["the run's last step is not known: give `last_step`"]
    return _of_step(evidence, final, rows if rows is not None else config.get("validation_rows"), quantized)


def _of_step(evidence: Evidence, final: int, rows: int | None, quantized: bool) -> list[str]:
    begun = [event for event in evidence.of("phase_begin", TESTING) if event["step"] == final]
    ended = [event for event in evidence.of("phase_end", TESTING) if event["step"] == final]
    if not begun:
        steps = [event["step"] for event in evidence.of("phase_end", TESTING)]
        seen = f"the last one was at step {steps[-1]}" if steps else "there was none at all"
        return [f"the final validation was skipped: none ran at step {final}; {seen}"]
    if not ended or ended[-1]["at"] < begun[-1]["at"]:
        return [f"the final validation, at step {final}, began and did not end"]
    if ended[-1]["data"].get("error"):
        return [f"the final validation, at step {final}, failed with {ended[-1]['data']['error']}"]
    began = begun[-1]["at"]
    return [
        *_rows(evidence, final, rows, began),
        *_order(evidence, final, began),
        *(_quantization(evidence, final, began) if quantized else []),
    ]


def _rows(evidence: Evidence, final: int, expected: int | None, began: float) -> list[str]:
    dumps = [event["data"].get("rows") for event in evidence.of("dump") if event["step"] == final]
    guards = [event["data"].get("rows") for event in evidence.of("guard") if event["at"] >= began]
    seen = next((count for count in (*reversed(dumps), *reversed(guards)) if isinstance(count, int)), None)
    if expected is None:
        return ["the rows of a full validation are not known: give `rows`"]
    if seen is None:
        return [f"the rows of the final validation, at step {final}, were not recorded"]
    if seen == 0:
        return [f"the final validation, at step {final}, was empty: 0 of {expected} rows"]
    if seen < expected:
        return [f"the final validation, at step {final}, was partial: {seen} of {expected} rows"]
    return []


def _order(evidence: Evidence, final: int, began: float) -> list[str]:
    updates = [event["at"] for event in evidence.of("phase_end", UPDATE)]
    syncs = [event["at"] for event in evidence.of("weights_updated")]
    if not updates:
        return ["no weight update was recorded: nothing was trained"]
    if max(updates) > began:
        return [f"the final validation, at step {final}, came too early: weights were updated after it began"]
    if syncs and (max(syncs) > began or max(syncs) < max(updates)):
        return [f"the final validation, at step {final}, came before the last weights reached the engine"]
    said = [event["data"].get("final_validation") for event in evidence.of("guard")]
    return ["the hooks' guard calls its weights stale"] if "stale-weights" in said else []


def _quantization(evidence: Evidence, final: int, began: float) -> list[str]:
    made = [event["data"] for event in evidence.of("attested") if event["step"] == final and event["at"] >= began]
    if not made:
        return [f"the final validation, at step {final}, has no attestation of its quantization"]
    found = []
    for data in made:
        active, expected = data.get("active_layers"), data.get("expected_layers")
        if not expected or active != expected or not data.get("calls"):
            found.append(
                f"the final validation, at step {final}, was not quantized: {active} of {expected} layers were active "
                f"in {data.get('calls', 0)} calls"
            )
        noise = data.get("noise")
        if isinstance(noise, Mapping) and noise.get("active"):
            found.append(f"the final validation, at step {final}, was noisy: sigma {noise.get('sigma')}")
    return found
