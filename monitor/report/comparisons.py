"""Comparisons of scores as a document and as lines of text: which hold, which don't and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from monitor.model.audit import Comparison
from monitor.model.json_form import to_json
from monitor.report.clean_text import clean

MOST_LINES = 40
"""Comparisons told in text; a document has all of them."""
MINUS = "−"


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """One comparison; `points` beside the difference where the metric is a share."""
    document: dict[str, Any] = to_json(comparison)
    document["points"] = round(100 * comparison.difference, 6) if is_share(comparison.metric) else None
    return document


def is_share(metric: str) -> bool:
    """True for accuracies: their differences are told in points."""
    return "/acc" in metric or "pass@" in metric


def difference_text(comparison: Comparison) -> str:
    """`−7.35 points`, with its interval where there is one."""
    scale, unit, digits = (100, " points", 2) if is_share(comparison.metric) else (1, "", 4)
    told = f"{signed(comparison.difference * scale, digits)}{unit}"
    if comparison.low is None or comparison.high is None:
        return told
    return f"{told} [{signed(comparison.low * scale, digits)}, {signed(comparison.high * scale, digits)}]"


def signed(value: float, digits: int) -> str:
    """A number with its sign, a true minus."""
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS if value < 0 and float(text) else '+'}{text}"


def comparison_lines(comparisons: Sequence[Comparison], most: int = MOST_LINES) -> Iterator[str]:
    """A block a comparison: a sign, what is held against what, the difference, and why or why not."""
    ordered = sorted(comparisons, key=lambda item: not item.holds)
    for comparison in ordered[:most]:
        sign, word = ("+", comparison.meaning) if comparison.holds else ("x", "does not hold")
        pair = f"{comparison.left} step {comparison.left_step} against {comparison.right} step {comparison.right_step}"
        yield clean(f"  {sign} {pair}: {difference_text(comparison)}: {word}")
        for reason in comparison.reasons:
            yield clean(f"      {reason}")
        if comparison.baseline is not None and comparison.baseline != comparison.right:
            yield clean(f"      the baseline to hold it against: {comparison.baseline}")
    if len(ordered) > most:
        yield f"  … and {len(ordered) - most} more (--json has all of them)"
