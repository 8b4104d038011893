"""Reads the readable report of a bundle, bounded and clean; a bundle that has gone or has no report says so."""

from __future__ import annotations

from pathlib import Path

from monitor.report.clean_text import clean

REPORT = "report.md"
MOST_BYTES = 256 * 1024


def read_report(bundle: str) -> tuple[str, ...]:
    """The lines of the bundle's report; else one sentence that says why there are none."""
    path = Path(bundle) / REPORT
    try:
        with path.open("rb") as file:
            block = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL, which no file can have.
        why = error.strerror if isinstance(error, OSError) else error
        return (clean(f"{path} can't be read: {why}"), "laststep replay BUNDLE gives its verdict again")
    lines = tuple(clean(part) for part in block[:MOST_BYTES].decode("utf-8", errors="replace").splitlines())
    return (*lines, f"… cut at {MOST_BYTES // 1024} KiB; the rest is in {path}") if len(block) > MOST_BYTES else lines
