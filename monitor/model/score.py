"""Scores with provenance and standing: what the ledger lets a score claim."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from monitor.model.fact import Evidence


class Standing(str, enum.Enum):
    """What a score may claim. Several may hold; `VALID` stands alone."""

    VALID = "valid"
    NOT_FINAL = "not-final"
    MISSING_FINAL = "missing-final"
    """Of a run, not of a score."""
    NOT_QUANTIZED = "not-quantized"
    STALE_WEIGHTS = "stale-weights"
    UNPROVEN = "unproven"
    PARTIAL = "partial"


@dataclass(frozen=True)
class Provenance:
    """What is known of how a score was made. None: unknown."""

    source: str
    """`training` (the run's own validation) or `rerun`."""
    final: bool | None = None
    rows: int | None = None
    rows_expected: int | None = None
    recipe_declared: str | None = None
    """The recipe the checkpoint was trained with, `none` where training was not quantized."""
    recipe_attested: str | None = None
    """The recipe proved active inside the engine in this evaluation; `none` where it was proved to be off."""
    weights_step: int | None = None
    """The step whose weights the engine held, where proved."""
    weights_fingerprint: str | None = None
    checkpoint_fingerprint: str | None = None
    start_fingerprint: str | None = None
    data_sha256: str | None = None
    dump_path: str | None = None
    rerun_id: str | None = None
    evidence: tuple[Evidence, ...] = ()
    attestation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """A validation metric of one run at one step. Fractions, not percent.

    Never changed in place: a correction is a new record.
    """

    run: str
    step: int
    metric: str
    value: float
    recorded_at: float
    provenance: Provenance
    standing: tuple[Standing, ...] = ()
    reasons: tuple[str, ...] = ()
    """One sentence a standing: why, and what would change it."""
    revision: int = 0
    """0: as it was first recorded; higher: a later record that corrects it. The earlier ones stay in the ledger."""
    correction: str = ""
    """Why the record before this one was corrected."""
