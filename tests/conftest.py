"""What every test gets: state, runtime and config folders of its own, so that no test touches a person's ledger."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is the machine's business, not the property's.
settings.register_profile("laststep", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("laststep")


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder (unix sockets have 108 characters) that is home to state, config and hook files of one test."""
    folder = Path(tempfile.mkdtemp(prefix="lst", dir="/tmp"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("LASTSTEP_DIR", str(folder / "run"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
