"""The pictures in docs/screens: every screen on a real hung demo run, as SVG, in three sizes and four themes.

    python -m benchmarks.screens [--steps 29] [--out docs/screens]

Starts the demo with a hang, waits for the proof, opens the dashboard on the ledger that recorded it, and exports, all
without a terminal. Then launches the rerun by its keys and exports the score with its proofs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from monitor.commands.attaching import say
from monitor.commands.demo_story import DemoRequest, LiveDemo, start_watched
from monitor.ledger.store import Ledger
from monitor.model.finding import VerdictWord
from monitor.paths import ledger_path
from monitor.tui.dashboard import Dashboard
from monitor.tui.feed import Feed
from monitor.tui.ledger_reader import ledger_opener
from monitor.tui.rerun_door import LedgerReruns
from monitor.tui.theme import THEMES

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
PICTURED = ("dark", "light", "colour-blind", "ansi")
VIEWS = {"1": "run", "2": "hang", "3": "scores", "5": "log"}
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.2


async def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Until it holds."""
    for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
        if condition():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise TimeoutError(what)


def verdict_word(run: str) -> str | None:
    """The word of the live verdict."""
    with Ledger.open(read_only=True) as ledger:
        row = ledger.live(run)
    return str(row["verdict"]["word"]) if row else None


def rerun_done(run: str) -> bool:
    """Whether a rerun of the run has ended well."""
    with Ledger.open(read_only=True) as ledger:
        return any(row.status == "done" for row in ledger.reruns(run))


async def draw(live: LiveDemo, out: Path) -> None:
    """All screens in all sizes and themes; at the end the rerun is planned, typed and followed."""
    feed = Feed(ledger_opener(ledger_path()), live.run_name)
    feed.start()
    app = Dashboard(feed, LedgerReruns(ledger_path()))
    async with app.run_test(size=SIZES["120x40"]) as pilot:

        async def save(name: str) -> None:
            for size, cells in SIZES.items():
                await pilot.resize_terminal(*cells)
                for theme in PICTURED:
                    app.take_palette(THEMES[theme])
                    await pilot.pause(0.5)
                    picture = app.export_screenshot(title="laststep")
                    (out / f"{name}-{size}-{theme}.svg").write_text(picture, encoding="utf-8")

        await pilot.pause(2.0)
        for key, name in VIEWS.items():
            await pilot.press(key)
            await pilot.pause(2.0)
            await save(name)
        await pilot.press("r")
        await wait_until(lambda: app.state.flow.can_confirm, "the rerun was never planned, or it was refused")
        await save("rerun-plan")
        for letter in live.run_name:
            await pilot.press("minus" if letter == "-" else letter)
        await pilot.press("enter")
        await wait_until(lambda: rerun_done(live.run_name), "the rerun never ended")
        await pilot.pause(3.0)
        await save("rerun")
        app.exit(0)
    feed.stop()


def main() -> None:
    """One demo, all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=29)
    parser.add_argument("--hang", default="control-queue")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "screens")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with start_watched(DemoRequest(hang=arguments.hang, steps=arguments.steps), say) as live:
        hang = VerdictWord.HANG.value
        asyncio.run(wait_until(lambda: verdict_word(live.run_name) == hang, "no hang was proved"))
        asyncio.run(draw(live, arguments.out))
    print("\n".join(sorted(path.name for path in arguments.out.glob("*.svg"))), file=sys.stderr)


if __name__ == "__main__":
    main()
