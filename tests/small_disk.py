"""Runs a module of the tests on a disk that is truly full: a tmpfs of 1 MB in a mount namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NAMESPACE = ("unshare", "--map-root-user", "--mount")


def on_small_disk(module: str, folder: Path) -> dict[str, Any]:
    """The JSON object that `python -m MODULE FOLDER` prints, which mounts the disk; skips where none can be made."""
    can = (
        shutil.which("unshare") is not None
        and subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0
    )
    if not can:
        pytest.skip("this machine lets us make no mount namespace, so no small disk")
    words = [*NAMESPACE, sys.executable, "-m", module, str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document
