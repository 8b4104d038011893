"""The live run that a command names, read anew, and its bundle: what `dump`, `stop` and `rescue` begin with."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.model.reading import SourceError

if TYPE_CHECKING:
    from monitor.engine.engine import Attachment
    from monitor.engine.once import OneReading


def read_live(arguments: argparse.Namespace) -> tuple[Attachment, OneReading]:
    """The live run, and two snapshots of it. Raises `SourceError` where another run is live than the one named."""
    from monitor import settings
    from monitor.engine.once import read_once
    from monitor.watch.attach import attach

    loaded = settings.load()
    attached = attach(loaded, arguments.ray, arguments.run_directory, arguments.log)
    if arguments.run and not attached.location.name.startswith(arguments.run):
        raise SourceError(f"the live run is {attached.location.name}, not {arguments.run}")
    return attached, read_once(attached, loaded, snapshots=2, sleep=time.sleep)


def write_bundle(reading: OneReading) -> Path:
    """Everything that was read, as a bundle; where it lies."""
    from monitor.diagnose import bundle as bundles
    from monitor.paths import bundles_directory

    log = reading.state.config.console_log
    return bundles.write(
        bundles_directory(), reading.state, reading.snapshots, reading.verdict, log_paths=[log] if log else []
    )
