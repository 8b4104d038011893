"""The environment of the rerun's processes: our own code first, and nothing that leads to the live run's Ray.

A caller's RAY_ADDRESS or RAY_AUTH_TOKEN would lead a driver into the live cluster, and a folder named `monitor` or
`quant` in the working directory would shadow ours in a worker.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import monitor

RERUN_VARIABLE = "LASTSTEP_RERUN"
"""Set in every process of a rerun, its Ray head too, to the rerun's folder: readers of processes know it by that."""

OF_VERL = "VERL_"
OF_THE_RUN = ("RAY_", "LASTSTEP_HOOKS", OF_VERL)
"""Prefixes of variables that belong to a run, not to a rerun of its validation."""


def package_root() -> Path:
    """The folder that holds our packages."""
    return Path(monitor.__file__).resolve().parent.parent


def child_environment(
    inherited: Mapping[str, str], rerun_directory: str, *, by_trainer: bool = False
) -> dict[str, str]:
    """The environment of a child that must import our code and must not find the live run.

    `by_trainer`: the trainer will evaluate, so what the caller's environment says to it (VERL_*) goes along.
    """
    foreign = tuple(prefix for prefix in OF_THE_RUN if not (by_trainer and prefix == OF_VERL))
    kept = {name: value for name, value in inherited.items() if not name.startswith(foreign)}
    paths = [str(package_root()), *(part for part in kept.get("PYTHONPATH", "").split(os.pathsep) if part)]
    kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    kept["PYTHONUNBUFFERED"] = "1"
    kept["OMP_NUM_THREADS"] = "1"
    kept[RERUN_VARIABLE] = rerun_directory
    return kept
