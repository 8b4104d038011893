"""Fills a small disk under a ledger: `python -m tests.ledger.full_disk FOLDER`, in a mount namespace of its own.

Prints one JSON document of what happened; `test_full_disk.py` judges it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from monitor.ledger.errors import LedgerFull
from monitor.ledger.store import Ledger
from tests.ledger import examples


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def sentence_of(path: Path, *, read_only: bool) -> str:
    """What opening and using the ledger says: how many scores it holds where that works."""
    try:
        with Ledger.open(path, read_only=read_only) as ledger:
            count = len(ledger.scores())
            if not read_only:
                ledger.save_run(examples.run())
    except LedgerFull as error:
        return str(error)
    return f"{count} scores"


def main(folder: Path) -> dict[str, Any]:
    """Write to a disk that fills, free it, write on; then begin on a full one."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    path, filler = folder / "ledger.sqlite", folder / "filler"
    filler.write_bytes(b"\0" * 200_000)
    kept = 0
    with Ledger.open(path) as ledger:
        try:
            while kept < 10_000:
                ledger.add_score(examples.score(kept))
                kept += 1
        except LedgerFull as error:
            told = str(error)
        readable = len(ledger.scores())
        filler.unlink()
        ledger.add_score(examples.score(kept))
    with Ledger.open(path) as ledger:
        steps = [score.step for score in ledger.scores()]
    fill(filler)
    after = {name: sentence_of(path, read_only=name == "reader") for name in ("reader", "writer")}
    fresh = sentence_of(folder / "another.sqlite", read_only=False)
    aside = [item.name for item in folder.glob("*.corrupt-*")]
    return {"kept": kept, "told": told, "readable": readable, "steps": steps, **after, "fresh": fresh, "aside": aside}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
