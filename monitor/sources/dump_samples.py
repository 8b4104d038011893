"""The samples of a validation dump, each under a name that another run over the same set shares: to compare in pairs.

A name is the hash of the prompt and the truth, with a count where one prompt was answered several times. Reads JSON
lines as the trainers write them (`input`, `gts`, `score`); lines that are none are left out. Bounded: larger files than
`LARGEST_BYTES` are not read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

LARGEST_BYTES = 256 << 20


def read_samples(path: str | Path) -> dict[str, float]:
    """Score of each sample by its name; empty where the file can't be read, is too large, or holds no scores."""
    samples: dict[str, float] = {}
    seen: Counter[str] = Counter()
    with contextlib.suppress(OSError):
        if os.path.getsize(path) > LARGEST_BYTES:
            return {}
        with open(path, "rb") as file:
            for line in file:
                row = _row(line)
                if row is None:
                    continue
                told = json.dumps([row["input"], row.get("gts")])
                name = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
                seen[name] += 1
                samples[f"{name}-{seen[name]}"] = float(row["score"])
    return samples


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    score = row.get("score") if isinstance(row, dict) else None
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score):
        return None
    return row if row.get("input") is not None else None
