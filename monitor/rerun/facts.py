"""What preflight knows when it judges: frozen facts, gathered by `gather`, judged by `preflight`. No I/O here."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

Manifest = dict[str, tuple[int, str | None]]
"""Path inside the checkpoint → size and sha256; no hash (None) where the file was too large to hash."""


class LineState(str, enum.Enum):
    """What a preflight line says."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class PreflightLine:
    """One condition of a safe rerun. Any `fail` refuses; an `unknown` is shown and does not."""

    name: str
    state: LineState
    sentence: str
    evidence: tuple[str, ...] = ()
    cure: str = ""
    doubt: bool = False
    """An unknown that keeps the score from being `valid`."""


@dataclass(frozen=True)
class CheckpointFacts:
    """The checkpoint folder as it lies on disk, and what was recorded of it when it was saved."""

    exists: bool
    complete: bool = False
    marker_step: int | None = None
    missing: tuple[str, ...] = ()
    shards: int = 0
    manifest: Manifest = field(default_factory=dict)
    recorded: Manifest | None = None
    recorded_fingerprint: str | None = None
    writers: tuple[str, ...] = ()
    """Why it looks as if it is being written: a process that has a file open for writing, a file that changed."""
    earlier: tuple[str, ...] = ()
    """Complete checkpoints of earlier steps, newest first."""
    unreadable: str = ""
    """Why its files can't be read; empty where they can."""


@dataclass(frozen=True)
class WeightsFacts:
    """What a child process with torch said of the weights; `error` where it could not."""

    checkpoint: str | None = None
    """Fingerprint of the checkpoint's weights."""
    start: str | None = None
    """Fingerprint of the start model's weights."""
    checkpoint_error: str = ""
    start_error: str = ""
    engine_error: str = ""
    engine_cure: str = ""
    torch_version: str | None = None
    model_error: str = ""
    """Why the weights are not those of the model that the checkpoint's config.json describes."""


@dataclass(frozen=True)
class GpuSpace:
    """A GPU that no process holds, and its memory in bytes."""

    index: int
    total: int
    free: int


@dataclass(frozen=True)
class VerlFacts:
    """What a verl run's evaluation needs beside weights and data."""

    tokenizer_differences: tuple[str, ...] = ()
    """In what the checkpoint's tokenizer is not the start model's; empty also where it can't be told."""
    tokenizer_unknown: str = ""
    reward_error: str = ""
    adapter: str = ""
    """The folder of a LoRA adapter inside the checkpoint."""
    gpus: tuple[str, ...] = ()
    """One phrase a GPU that a process holds; empty: none is taken."""
    gpus_total: int | None = None
    """None: can't be told, or there are none."""
    driver: str = ""
    """A live process that writes into the run's folder."""
    gpu_space: tuple[GpuSpace, ...] = ()
    """The free GPUs that tell their memory."""
    needs_verl: str = ""
    """Why the evaluation needs verl installed; empty where it doesn't."""
    merge_free: int | None = None
    """Free bytes of the folder that shards are merged into."""


@dataclass(frozen=True)
class DataFacts:
    """The validation file now."""

    exists: bool
    sha256: str | None = None
    rows: int | None = None
    modified_at: float | None = None


@dataclass(frozen=True)
class Resources:
    """What this machine has free; None: could not be read. Bytes."""

    memory_total: int | None = None
    memory_free: int | None = None
    shared_memory_free: int | None = None
    state_free: int | None = None
    temp_free: int | None = None
    load: float | None = None
    processors: int = 1
    state_writable: bool = True
    state_error: str = ""


@dataclass(frozen=True)
class Surroundings:
    """The rest: folders, names, locks, the live run."""

    out_exists: bool = False
    taken_experiments: tuple[str, ...] = ()
    under_way: tuple[str, ...] = ()
    """Reruns of the same score that are under way, as `id (pid N)`."""
    driver_alive: bool = False
    recorded_torch: str | None = None
    recorded_versions: dict[str, str] = field(default_factory=dict)
    """Package → version, as the run recorded them."""
    versions: dict[str, str] | None = None
    """Package → version in the interpreter that evaluates; None: it doesn't say, or it is ours."""
    ports_free: int | None = None
    """How many ports of loopback could be had at once, of those that were tried."""


@dataclass(frozen=True)
class PreflightFacts:
    """Everything the judgements use."""

    checkpoint: CheckpointFacts
    weights: WeightsFacts
    data: DataFacts
    resources: Resources
    around: Surroundings
    verl: VerlFacts | None = None
    """None: not a verl run."""
