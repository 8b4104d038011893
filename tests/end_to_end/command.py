"""Running the command as a person's shell would, and reading what it says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_AS_SCRIPT = "import sys; sys.path.remove(''); from monitor.cli import main; sys.exit(main())"
LASTSTEP = [sys.executable, "-c", _AS_SCRIPT]
"""As the installed script does it: the working directory is not on the import path."""


@dataclass(frozen=True)
class Said:
    """What a call printed and exited with."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        parsed = json.loads(self.stdout)
        assert isinstance(parsed, dict)
        return parsed


def environment(**extra: str) -> dict[str, str]:
    """The caller's environment with this tree importable."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **extra}


def laststep(*words: str, timeout: float = 500, cwd: Path | None = None, **extra: str) -> Said:
    """One call to its end."""
    done = subprocess.run(
        [*LASTSTEP, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        cwd=cwd,
        env=environment(**extra),
    )
    return Said(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def unwatched_demo(folder: Path, steps: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The demo without a watch of its own, hooks in; its process, and its Ray's address. Ended at the end."""
    words = ["demo", "--headless", "--steps", str(steps), "--no-watch", "--out", str(folder / "out")]
    said = folder / "demo.log"
    with said.open("wb") as log:
        process = subprocess.Popen([*LASTSTEP, *words], stdout=log, stderr=log, env=environment())
    try:
        deadline = time.monotonic() + 120
        while (found := re.search(r"Ray is up at ([\w.:]+),", said.read_text())) is None:
            assert process.poll() is None and time.monotonic() < deadline, said.read_text()
            time.sleep(0.05)
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=60)


def processes_of(folder: Path) -> list[str]:
    """Command lines of live processes that were started with this test's folder in their environment."""
    needle = str(folder).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if needle in (entry / "environ").read_bytes():
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                if state not in "ZX":
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found
