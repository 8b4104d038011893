"""Running the command as a person's shell would, and reading what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LASTSTEP = [sys.executable, "-c", "import sys; from monitor.cli import main; sys.exit(main())"]


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
