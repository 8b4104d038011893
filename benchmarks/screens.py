"""The pictures in docs/screens: every screen on real demo runs, as SVG, in three sizes and four themes.

    python -m benchmarks.screens [--steps 29] [--out docs/screens]

Without a terminal: a short run that ends well; then one with a hang, pictured while it trains and, once the hang is
proved, on every screen of the dashboard on the ledger that recorded it; then the rerun, launched by its keys, with its
proofs. All of it in a state folder of its own (`--state`), so that nobody's other runs are pictured. The demo runs on
CPUs: where a C compiler is at hand, the watch is given eight GPUs by a library of ours (`picture_gpus.c`), which are
named `stand-in GPU`; else the pictures say that there is none.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.commands.attaching import say
from monitor.commands.demo_story import DemoRequest, LiveDemo, run_headless, start_watched
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
TRAINING_STEP = 12
"""The first step at which the training is pictured: by then there is a past to be seen."""
EVIDENCE = "hang-evidence"
VIEWS = {"1": "run", "2": "hang", "n": EVIDENCE, "3": "scores", "5": "log", "question_mark": "help"}
NAMES = ("training", *VIEWS.values(), "rerun-plan", "rerun")
LINKS = 3
"""Link of the chain whose evidence is pictured."""
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.2
ROLES = ("rollout", "train-worker")
"""Four of the stand-in GPUs each."""


def pictures() -> list[str]:
    """The names of all files that are made."""
    return sorted(f"{name}-{size}-{theme}.svg" for name in NAMES for size in SIZES for theme in PICTURED)


async def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Until it holds."""
    for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
        if condition():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise TimeoutError(what)


def live_row(run: str) -> dict[str, Any]:
    """The live document; empty where there is none yet."""
    with Ledger.open(read_only=True) as ledger:
        return ledger.live(run) or {}


def rerun_done(run: str) -> bool:
    """Whether a rerun of the run has ended well."""
    with Ledger.open(read_only=True) as ledger:
        return any(row.status == "done" for row in ledger.reruns(run))


def stand_in_gpus(folder: Path) -> dict[str, str]:
    """Environment for the watch in which NVML is ours; empty without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return {}
    source, library = Path(__file__).with_name("picture_gpus.c"), folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return {"LD_LIBRARY_PATH": str(folder), "PICTURE_GPUS": str(folder / "pids")}


def place_on_gpus(run: str, folder: Path) -> bool:
    """Put the first process of each role on its four GPUs; False while one of them is not known."""
    processes = live_row(run).get("processes", ())
    found = {row["role"]: row["pid"] for row in reversed(processes)}
    if not set(ROLES) <= set(found):
        return False
    lines = [str(found[role]) for role in ROLES for _ in range(4)]
    (folder / "pids").write_text("\n".join(lines), encoding="utf-8")
    return True


async def draw(live: LiveDemo, out: Path, folder: Path) -> None:
    """All screens in all sizes and themes; at the end the rerun is planned, typed and followed."""
    run = live.run_name
    feed = Feed(ledger_opener(ledger_path()), run)
    feed.start()
    app = Dashboard(feed, LedgerReruns(ledger_path()))
    async with app.run_test(size=SIZES["120x40"]) as pilot:

        async def save(name: str) -> None:
            for size, cells in SIZES.items():
                await pilot.resize_terminal(*cells)
                if name == EVIDENCE:
                    await pilot.press("escape", *["n"] * LINKS)
                for theme in PICTURED:
                    app.take_palette(THEMES[theme])
                    await pilot.pause(0.3)
                    picture = app.export_screenshot(title="laststep")
                    (out / f"{name}-{size}-{theme}.svg").write_text(picture, encoding="utf-8")

        await wait_until(lambda: place_on_gpus(run, folder), "a role of the run never came")
        await wait_until(lambda: (live_row(run)["run"]["step"] or 0) >= TRAINING_STEP, "the run never trained")
        await save("training")
        hang = VerdictWord.HANG.value
        await wait_until(lambda: bool(live_row(run)["verdict"]["word"] == hang), "no hang was proved")
        await pilot.pause(2.0)
        for key, name in VIEWS.items():
            await pilot.press(key)
            await pilot.pause(2.0)
            await save(name)
        await pilot.press("escape", "r")
        await wait_until(lambda: app.state.flow.can_confirm, "the rerun was never planned, or it was refused")
        await save("rerun-plan")
        for letter in run:
            await pilot.press("minus" if letter == "-" else letter)
        await pilot.press("enter")
        await wait_until(lambda: rerun_done(run), "the rerun never ended")
        await pilot.pause(3.0)
        await save("rerun")
        app.exit(0)
    feed.stop()


def main() -> None:
    """Two runs, all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=29)
    parser.add_argument("--hang", default="control-queue")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "screens")
    parser.add_argument("--state", type=Path, help="folder of the ledger and the runs (default: a new temporary one)")
    arguments = parser.parse_args()
    # Ended from outside it leaves by its `with`s, and so takes its demo with it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="laststep-pictures-") as temporary:
        folder = Path(temporary)
        os.environ["XDG_STATE_HOME"] = str(arguments.state or folder)
        run_headless(DemoRequest(steps=3, seed=2), say)
        with start_watched(DemoRequest(hang=arguments.hang, steps=arguments.steps), say, stand_in_gpus(folder)) as live:
            asyncio.run(draw(live, arguments.out, folder))
    print("\n".join(pictures()), file=sys.stderr)


if __name__ == "__main__":
    main()
