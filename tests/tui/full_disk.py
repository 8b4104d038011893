"""A dashboard on a full disk: `python -m tests.tui.full_disk FOLDER`, in a mount namespace of its own.

The ledger, the state folder and the run's log lie on a tmpfs of 1 MB that is then filled. Prints one JSON document of
what the person saw; `test_full_disk.py` judges it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from monitor.ledger.store import Ledger
from monitor.tui.dashboard import Dashboard
from monitor.tui.feed import Feed
from monitor.tui.ledger_reader import ledger_opener
from monitor.tui.rerun_door import LedgerReruns
from tests.ledger.full_disk import fill
from tests.tui import examples
from tests.tui.fakes import rows

SIZE = (120, 40)


async def seen(app: Dashboard, pilot: Any, *expected: str) -> str:
    """The screen once it shows one of these, or after 20 s whatever it shows."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        await pilot.pause(0.05)
        text = "\n".join(rows(app))
        if any(part in text for part in expected):
            break
    return text


async def look(ledger: Path) -> dict[str, str]:
    """What each screen and each key that would write shows."""
    feed = Feed(ledger_opener(ledger), None)
    feed.start()
    feed.first_reading.wait(20)
    app = Dashboard(feed, LedgerReruns(ledger))
    shown: dict[str, str] = {}
    async with app.run_test(size=SIZE) as pilot:
        shown["run"] = await seen(app, pilot, "step 29/29")
        await pilot.press("s")
        shown["save"] = await seen(app, pilot, "Saved as", "Not saved")
        await pilot.press("5")
        shown["log"] = await seen(app, pilot, "2 lines")
        await pilot.press("r")
        shown["rerun"] = await seen(app, pilot, "is full", "preflight", "Errno")
        await pilot.press("1")
        shown["after"] = await seen(app, pilot, "step 29/29")
    return shown


def main(folder: Path) -> dict[str, Any]:
    """Fill the disk under a ledger that is live, and open the dashboard."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    os.environ["XDG_STATE_HOME"] = str(folder)
    log, path = folder / "console.log", folder / "ledger.sqlite"
    log.write_text("first line\nlast line\n")
    with Ledger.open(path) as ledger:
        ledger.save_run(examples.state())
        ledger.write_live(examples.RUN, examples.document(log={"path": str(log), "tail": ["last line"]}))
    (folder / "laststep" / "screens").mkdir(mode=0o700, parents=True)
    fill(folder / "filler")
    before = sorted(str(item) for item in folder.rglob("*"))
    shown = asyncio.run(look(path))
    left = [item for item in sorted(str(item) for item in folder.rglob("*")) if item not in before]
    return {**shown, "left": left}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
