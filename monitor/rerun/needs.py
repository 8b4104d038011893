"""What a rerun will take: GPUs, processors, memory, time. Estimates, from the checkpoint and earlier validations.

Time is known only where a validation of this run, or of one that compares with it, was timed; else it stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.rerun.plan import RerunPlan
from monitor.rerun.resource_lines import memory_needed
from monitor.sources.trainer_profile import load_profile

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

START_SECONDS = 180.0
"""Until the first sample: reading weights twice, loading the engine. Real starts of vLLM took 150 to 195 s."""
PROCESSORS = 4


@dataclass(frozen=True)
class Needs:
    """What one rerun takes. Bytes, seconds."""

    weights: int
    """Bytes of the checkpoint's model files; 0 where there are none."""
    memory: int
    """Host memory."""
    seconds: float | None
    """None: no validation was timed."""
    why: str
    """What the time follows from."""
    gpus: int = 1
    processors: int = PROCESSORS


def needs_of(plan: RerunPlan, ledger: Ledger) -> Needs:
    """The estimate for a plan."""
    weights = weight_bytes(Path(plan.checkpoint))
    state = ledger.run(plan.run)
    phase = load_profile(state.trainer).testing_phase
    own = [span.seconds for span in ledger.spans(state.name) if span.phase == phase and span.seconds]
    like = [] if own else ledger.phase_history(state).get(phase, [])
    seconds, why = None, "no validation of this run, or of one like it, was timed"
    if own:
        seconds, why = START_SECONDS + max(own), f"its own slowest validation took {max(own):.0f} s"
    elif like:
        seconds, why = START_SECONDS + max(like), f"the slowest validation of a run like it took {max(like):.0f} s"
    return Needs(weights, memory_needed(weights), seconds, why, gpus=1 if plan.verl else 0)


def weight_bytes(checkpoint: Path) -> int:
    """Bytes of the files that hold the model's weights, shards or whole."""
    found = [*checkpoint.glob("actor/model_*"), *checkpoint.glob("model*"), *checkpoint.glob("*.safetensors")]
    return sum(path.stat().st_size for path in set(found) if path.is_file())
