"""The Log screen by its keys, on a real file that grows."""

from __future__ import annotations

from pathlib import Path

from monitor.tui.live import parse
from monitor.tui.screen_data import ScreenData
from tests.tui import examples
from tests.tui.session import opened


def with_log(path: Path, lines: int) -> ScreenData:
    path.write_text("".join(f"line {number}\n" for number in range(lines)))
    return examples.healthy(live=parse(examples.document(log={"path": str(path), "tail": []})))


async def test_the_log_follows_its_file_until_it_is_scrolled_and_again_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with opened(with_log(path, 5000)) as session:
        await session.press("5")
        await session.until_shown("line 4999")
        with path.open("a") as file:
            file.write("grown\n")
        await session.until_shown("grown")
        await session.press("g")
        await session.until_shown("line 0")
        await session.press("ctrl+d")
        await session.until_shown("line 20")
        await session.press("G")
        assert "follows" in await session.until_shown("grown")


async def test_n_goes_from_match_to_match_among_all_lines(tmp_path: Path) -> None:
    async with opened(with_log(tmp_path / "log", 5000)) as session:
        await session.press("5", "slash", *"line 1.00$", "enter")
        await session.until_shown("10 of 5,000 lines match")
        await session.press("f", "g")
        await session.until_shown("line 0")
        await session.press("n")
        text = await session.until_shown("line 1001")
        assert "line 1000" in text.splitlines()[3]
        await session.press("n")
        await session.until_shown("line 1101")
        await session.press("N")
        await session.until_shown("line 1001")


async def test_a_log_that_cannot_be_read_says_why_and_shows_what_the_watch_kept() -> None:
    async with opened(examples.healthy()) as session:
        await session.press("5")
        text = await session.until_shown("this file can't be read: No such file")
        assert "validation generation end" in text
