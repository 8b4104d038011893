"""A screen as it is, kept: as SVG with its colours, and as plain text for a chat or an issue.

Files go into the state folder, owner only; never into the run's.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from monitor import paths

if TYPE_CHECKING:
    from textual.screen import Screen


def rows_of(screen: Screen[object]) -> list[str]:
    """The screen's rows as text, without styles."""
    width, height = screen.size
    strips = screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip)[:width].rstrip() for strip in strips[:height]]


def saved(run: str, view: str, at: float, svg: str, text: list[str], folder: Path | None = None) -> str:
    """Write both files; the sentence that says where, or why not."""
    folder = folder or paths.state_directory() / "screens"
    stamp = time.strftime("%Y%m%dT%H%M%S", time.localtime(at))
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{run}-{view}-{stamp}")[-150:].lstrip(".")
    files = {folder / f"{name}.svg": svg, folder / f"{name}.txt": "\n".join(text) + "\n"}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content in files.items():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
    except OSError as error:
        for path in files:  # Half a picture, on a disk that is full, helps nobody.
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        return f"Not saved: {folder} can't be written: {error.strerror}"
    return f"Saved as {folder / name}.svg and .txt"
