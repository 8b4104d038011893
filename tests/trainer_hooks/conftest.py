"""A recorder of its own for each test, and a reader of what it wrote. Needs pytest and the standard library only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer_hooks import recorder, records


@pytest.fixture
def fresh_recorder(monkeypatch: pytest.MonkeyPatch) -> recorder.Recorder:
    """This process's recorder, with nothing written yet."""
    fresh = recorder.Recorder()
    monkeypatch.setattr(recorder, "_recorder", fresh)
    return fresh


@pytest.fixture
def written(own_folders: Path) -> Callable[..., list[dict[str, Any]]]:
    """Reads the event lines that any process of the test wrote, in order, of one kind where asked."""

    def read(kind: str | None = None, pid: int | None = None) -> list[dict[str, Any]]:
        files = sorted((own_folders / "run" / "hooks").glob(f"{pid or '*'}-*{records.EVENTS_ENDING}"))
        lines = [json.loads(line) for path in files for line in path.read_text().splitlines() if line.strip()]
        return [line for line in lines if kind in (None, line["kind"])]

    return read


def read_counters(path: Path) -> dict[str, tuple[int, float]]:
    """Counters of a file by the layout in `records`, written without the writer's code."""
    data = path.read_bytes()
    magic, schema, slots, _ = records.COUNTER_HEADER.unpack_from(data)
    assert (magic, schema, slots) == (b"LASTSTEP", 1, 63)
    found = {}
    for number in range(slots):
        name, value, at = records.COUNTER_SLOT.unpack_from(data, 64 + 64 * number)
        if name.strip(b"\0"):
            found[name.strip(b"\0").decode()] = (value, at)
    return found
