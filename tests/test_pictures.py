"""The pictures in docs/screens are those that `make screens` makes, and documents name only such."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.screens import NAMES, PICTURED, SIZES, pictures
from monitor.tui.actions import VIEWS

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "screens"


def test_the_folder_holds_what_the_command_makes() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == pictures()


def test_every_screen_is_pictured_at_three_sizes_and_four_themes() -> None:
    assert set(VIEWS) <= set(NAMES)
    assert (len(SIZES), len(PICTURED)) == (3, 4)


@pytest.mark.parametrize("size", SIZES)
def test_a_picture_has_as_many_cells_as_its_name_says(size: str) -> None:
    """Rich's frame: 12.2 units a column, 24.4 a row, and a margin."""
    columns, rows = SIZES[size]
    for path in FOLDER.glob(f"*-{size}-*.svg"):
        found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', path.read_text(encoding="utf-8")[:400])
        assert found, path.name
        width, height = (float(number) for number in found.groups())
        assert round((width - 18) / 12.2) == columns, path.name
        assert round((height - 50) / 24.4) == rows, path.name


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_a_picture_that_a_document_shows_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"screens/([\w.-]+\.svg)", text)
    assert set(named) <= set(pictures())
