"""Targets for the reader: which Pythons are here, a target process of one of them, and what it tells of itself."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(__file__).with_name("target.py")
DEBIAN = "/usr/bin/python3.11"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "debian")


def python(which: str) -> str | None:
    """The interpreter of a version (`3.12`), or Debian's own build; None where it is not installed."""
    if which == "debian":
        return DEBIAN if os.access(DEBIAN, os.X_OK) else None
    if which == "{}.{}".format(*sys.version_info):
        return sys.executable
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    found = sorted(glob.glob(f"{root}/versions/{which}.*/bin/python{which}"))
    return found[-1] if found else None


@contextlib.contextmanager
def target(interpreter: str, *words: str, script: Path = TARGET) -> Iterator[tuple[int, dict[str, Any]]]:
    """A target process and the document that it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen(
        [interpreter, str(script), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd="/",
        start_new_session=True,
    )
    try:
        assert child.stdout is not None
        yield child.pid, json.loads(child.stdout.readline())
    finally:
        # With it, the child process that it waits for.
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
