"""The live document: parsed by name, refused with a sentence where it is of another version or damaged."""

from __future__ import annotations

import pytest

from monitor.tui.live import LiveUnreadable, parse
from tests.tui import examples


def test_gpus_are_read_as_readings() -> None:
    live = parse(examples.document(gpus=examples.gpu_readings(2)))
    assert live.gpus is not None
    assert live.gpus.value is not None
    assert [gpu.index for gpu in live.gpus.value] == [0, 1]


def test_an_older_watch_may_know_less() -> None:
    document = examples.document()
    kept = {key: document[key] for key in ("schema", "at", "run", "verdict")}
    live = parse(kept)
    assert (live.processes, live.gpus, live.log.tail) == ((), None, ())


@pytest.mark.parametrize(
    "changes",
    [{"schema": 2}, {"at": "noon"}, {"run": None}, {"processes": [{"pid": "x"}]}, {"gpus": 3}, {"engines": 3}],
)
def test_another_version_or_damage_is_one_sentence(changes: dict[str, object]) -> None:
    with pytest.raises(LiveUnreadable):
        parse({**examples.document(), **changes})
