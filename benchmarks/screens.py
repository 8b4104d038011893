"""The pictures of the README: every screen of the dashboard on a real hung demo run, as SVG, in two sizes.

    python -m benchmarks.screens [--steps 29] [--out docs/screens]

Starts the demo with a hang, waits for the proof, opens the dashboard on the real ledger without a terminal, exports.
Then launches the rerun by its keys and exports the score with its proofs.
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

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
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


async def draw(live: LiveDemo, out: Path, size: str, *, launch: bool) -> None:
    """All screens in one size; with `launch` the rerun is planned, typed and followed too."""
    feed = Feed(ledger_opener(ledger_path()), live.run_name)
    feed.start()
    app = Dashboard(feed, LedgerReruns(ledger_path()))
    async with app.run_test(size=SIZES[size]) as pilot:

        def save(name: str) -> None:
            (out / f"{name}-{size}.svg").write_text(app.export_screenshot(title="laststep"), encoding="utf-8")

        await pilot.pause(2.0)
        for key, name in VIEWS.items():
            await pilot.press(key)
            await pilot.pause(1.0)
            save(name)
        if launch:
            await pilot.press("r")
            await pilot.pause(20.0)
            save("rerun-plan")
            for letter in live.run_name:
                await pilot.press("minus" if letter == "-" else letter)
            await pilot.press("enter")
            await wait_until(lambda: rerun_done(live.run_name), "the rerun never ended")
            await pilot.pause(3.0)
            save("rerun")
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
        for size in SIZES:
            asyncio.run(draw(live, arguments.out, size, launch=size == "120x40"))
    print("\n".join(sorted(path.name for path in arguments.out.glob("*.svg"))), file=sys.stderr)


if __name__ == "__main__":
    main()
