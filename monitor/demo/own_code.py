"""Whose `monitor`, `quant` and `trainer_hooks` a process imports.

A folder of that name in the working directory shadows ours in the driver and in every Ray worker, which takes over the
driver's paths.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from monitor.model.errors import LaststepError

PACKAGES = ("monitor", "quant", "trainer_hooks")


class ShadowedPackage(LaststepError):
    """Another package of the same name stands before ours on the import path."""

    HELP_TEXT = "start from another folder, or take that one off PYTHONPATH"


def source_folder() -> Path:
    """The folder that holds our packages, as this process imported this very file."""
    return Path(__file__).resolve().parents[2]


def require_own(expected: Path, names: tuple[str, ...] = PACKAGES) -> None:
    """Raises `ShadowedPackage` where a process imports one of `names` from elsewhere than `expected`."""
    for name in names:
        file = importlib.import_module(name).__file__
        found = Path(file).resolve().parent if file else None
        if found != expected / name:
            raise ShadowedPackage(
                f"`{name}` is imported from {found or 'a folder without __init__.py'}, not from {expected / name}"
            )
