"""Processes."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.model.snapshot import ProcessState
from monitor.sources.run_locator import RunProcess


def process_state(process: RunProcess, cluster_pids: Iterable[int]) -> ProcessState:
    """State of one process."""
    raise NotImplementedError


def process_states(processes: Iterable[RunProcess], cluster_pids: Iterable[int]) -> tuple[ProcessState, ...]:
    """States of several, sockets read once."""
    raise NotImplementedError
