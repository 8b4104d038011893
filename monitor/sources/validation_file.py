"""The hash of the validation set, taken once while the run is live: what a later rerun must score is the same data."""

from __future__ import annotations

import hashlib
from pathlib import Path

from monitor.model.fact import Evidence, Fact, FactKind


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class ValidationFileSource:
    """Polled once; a file that can't be read is an OSError, tried again only after a restart of the watch."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def poll(self, now: float) -> list[Fact]:
        """One `RUN_CONFIG` fact with `validation_sha256`."""
        digest = sha256_of(self._path)
        evidence = Evidence(f"sha256 of the validation set is {digest[:12]}…", str(self._path), at=now)
        return [Fact(FactKind.RUN_CONFIG, "processes", now, data={"validation_sha256": digest}, evidence=evidence)]
