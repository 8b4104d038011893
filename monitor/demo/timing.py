"""The timer around each phase of a step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def marked_timer(name: str, timing_raw: dict[str, float]) -> Iterator[None]:
    """Adds its block's seconds to `timing_raw[name]`. As in verl, a block that fails or never ends adds nothing."""
    began = time.monotonic()
    yield
    timing_raw[name] = timing_raw.get(name, 0.0) + time.monotonic() - began
