"""When a score read anew corrects the record that is kept of it: only where as much is known of it as before. Pure.

A watch that was killed and reads a shortened log knows less than its predecessor did: it corrects nothing. One that
learns the run's last step late, or is given an attestation late, does.
"""

from __future__ import annotations

from dataclasses import fields

from monitor.model.score import Provenance, Score

_NOT_COMPARED = frozenset({"evidence", "attestation", "source", "rerun_id"})


def why_corrected(kept: Score, told: Score) -> str | None:
    """One sentence where `told` corrects `kept`; None where it says the same, or where less is known of it."""
    if (kept.value, kept.standing, kept.reasons) == (told.value, told.standing, told.reasons):
        return None
    before, after = kept.provenance, told.provenance
    if _lost(before, after):
        return None
    learned = [name for name in _names() if getattr(before, name) != getattr(after, name)]
    if after.attestation and after.attestation != before.attestation:
        learned.append("attestation")
    if kept.value != told.value:
        return f"its value was read anew: {kept.value} became {told.value}"
    if learned:
        return f"learned since: {', '.join(learned)}"
    return "judged anew by what is known of its run"


def _names() -> list[str]:
    return [field.name for field in fields(Provenance) if field.name not in _NOT_COMPARED]


def _lost(before: Provenance, after: Provenance) -> bool:
    """Something that was known is known no more."""
    if before.attestation and not after.attestation:
        return True
    return any(getattr(before, name) is not None and getattr(after, name) is None for name in _names())
