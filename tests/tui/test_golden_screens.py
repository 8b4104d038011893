"""Every screen at three sizes, cell for cell: `LASTSTEP_WRITE_GOLDEN=1` writes the files anew, to be looked at."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.tui import examples
from tests.tui.session import opened

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "screens"
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
KEYS = {"run": "1", "hang": "2", "scores": "3", "rerun": "4", "log": "5", "help": "question_mark"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", KEYS)
async def test_a_screen_is_cell_for_cell_as_it_was_looked_at(
    screen: str, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        async with opened(examples.reran(), SIZES[size]) as session:
            text = await session.press(KEYS[screen])
            if screen == "log":
                text = await session.until_shown("lines, follows")
            if screen == "hang":
                text = await session.until_shown("there is no bundle at") if "being read" in text else text
    finally:
        monkeypatch.undo()
        time.tzset()
    path = GOLDEN / f"{screen}-{size}.txt"
    if os.environ.get("LASTSTEP_WRITE_GOLDEN"):
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")
